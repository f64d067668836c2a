import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { type Alert, alertStates, TidemarkError, transitionToJson } from '@tidemark/core';
import { alertSchema, alertToBody, transitionSchema } from '../alerts-schemas.ts';
import { decodeCursor, encodeCursor } from '../cursor.ts';
import type { ApiEnv, ApiParts } from '../parts.ts';
import { cursorParameter, limitParameter, listParameter } from '../query.ts';
import { pageById } from '../registry/page-by-id.ts';
import { idParams } from '../registry/route-parts.ts';
import { jsonContent, listOf, listSchema, problems } from '../schemas.ts';

const path = '/api/v1/alerts';
const tags = ['Alerts'];
const filter = {
  rule: listParameter('Only of these rules.', ['too-hot']).optional(),
  sensor: listParameter('Only of these sensors.', ['greenhouse-1']).optional(),
};
const paging = { limit: limitParameter(1000, 100), cursor: cursorParameter };
const stateParameter = (text: string) =>
  z
    .union([z.enum(alertStates), z.array(z.enum(alertStates))])
    .transform((states) => [states].flat())
    .optional()
    .openapi({ type: 'array', items: { type: 'string', enum: [...alertStates] }, description: text });

const listRoute = createRoute({
  method: 'get',
  path,
  tags,
  summary: 'List alerts',
  description: 'In order of their ids; those that are resolved only when asked for by `state`.',
  request: {
    query: z.strictObject({ ...filter, state: stateParameter('Only in these states.'), ...paging }),
  },
  responses: {
    200: { description: 'Alerts', content: jsonContent(listSchema('AlertList', alertSchema)) },
    ...problems(400),
  },
});

const historyRoute = createRoute({
  method: 'get',
  path: `${path}/history`,
  tags,
  summary: 'Changes of alerts',
  description:
    'Newest first; the newest `alerts.maxTransitions` are kept here, all of them in the measurement `alerts`.',
  request: {
    query: z.strictObject({ ...filter, state: stateParameter('Only changes to these states.'), ...paging }),
  },
  responses: {
    200: {
      description: 'Changes',
      content: jsonContent(listSchema('AlertTransitionList', transitionSchema)),
    },
    ...problems(400),
  },
});

const oneRoute = createRoute({
  method: 'get',
  path: `${path}/{id}`,
  tags,
  summary: 'One alert',
  request: { params: idParams('too-hot:greenhouse-1'), query: z.strictObject({}) },
  responses: { 200: { description: 'The alert', content: jsonContent(alertSchema) }, ...problems(400, 404) },
});

/** `/api/v1/alerts`. */
export function alerts(app: OpenAPIHono<ApiEnv>, { alerts: desk }: ApiParts): void {
  app.openapi(listRoute, (c) => {
    const { rule, sensor, state, limit, cursor } = c.req.valid('query');
    const after = cursor === undefined ? '' : decodeCursor(cursor, 1)[0]!;
    const matches = (alert: Alert): boolean =>
      (rule === undefined || rule.includes(alert.rule)) &&
      (sensor === undefined || sensor.includes(alert.sensor)) &&
      (state === undefined ? alert.state !== 'resolved' : state.includes(alert.state));
    const listed = desk.alerts({ withResolved: state?.includes('resolved') ?? false });
    const page = pageById(listed, { after, limit, matches });
    const shown = page.slice(0, limit);
    const next = page.length > limit ? encodeCursor(shown.at(-1)!.id) : null;
    return c.json(listOf(shown.map(alertToBody), next), 200);
  });

  app.openapi(historyRoute, (c) => {
    const { rule, sensor, state, limit, cursor } = c.req.valid('query');
    const before = cursor === undefined ? undefined : Number(decodeCursor(cursor, 1)[0]);
    const wanted = { rules: rule, sensors: sensor, states: state, limit: limit + 1, before };
    const page = desk.history(wanted);
    const shown = page.slice(0, limit);
    const next = page.length > limit ? encodeCursor(String(shown.at(-1)!.number)) : null;
    return c.json(listOf(shown.map(transitionToJson), next), 200);
  });

  app.openapi(oneRoute, (c) => {
    const { id } = c.req.valid('param');
    const alert = desk.alert(id);
    if (alert === undefined) throw new TidemarkError('not_found', `there is no alert ${id}`);
    return c.json(alertToBody(alert), 200);
  });
}
