import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import {
  type Alert,
  alertStates,
  formatTime,
  parseTimeParameter,
  type Silence,
  severities,
  TidemarkError,
  transitionToJson,
} from '@tidemark/core';
import type { Context } from 'hono';
import { alertSchema, alertToBody, silenceSchema, transitionSchema } from '../alerts-schemas.ts';
import { readJson } from '../body/read-json.ts';
import { decodeCursor, encodeCursor } from '../cursor.ts';
import { actorOf } from '../middleware/access.ts';
import type { ApiEnv, ApiParts } from '../parts.ts';
import { invalidFields, issuesOf } from '../problem.ts';
import { cursorParameter, limitParameter, listParameter } from '../query.ts';
import { pageById } from '../registry/page-by-id.ts';
import { bodyOf, idParams } from '../registry/route-parts.ts';
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

const words = z.strictObject({
  by: z.string().min(1).max(200).optional().openapi({
    description: 'Who does it; the name of the token, or `local`, unless set.',
    example: 'ann',
  }),
  comment: z.string().max(1000).optional().openapi({ example: 'the fan is on its way' }),
});
const silenceBody = z.strictObject({
  ...words.shape,
  until: z.string().openapi({ description: 'A time, or `now+2h`.', example: 'now+2h' }),
});
const newSilence = z.strictObject({
  ...silenceBody.shape,
  rule: z.string().min(1).optional().openapi({ example: 'too-hot' }),
  sensor: z
    .string()
    .min(1)
    .optional()
    .openapi({ description: 'Id, `*` for any text.', example: 'greenhouse-*' }),
  severity: z.enum(severities).optional(),
});

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

const actionOf = (name: string, summary: string, description: string, body: z.ZodType) =>
  createRoute({
    method: 'post',
    path: `${path}/{id}/${name}`,
    tags,
    summary,
    description,
    request: { params: idParams('too-hot:greenhouse-1'), ...bodyOf(body) },
    responses: {
      200: { description: 'The alert as it is now', content: jsonContent(alertSchema) },
      ...problems(400, 404, 409, 413, 415),
    },
  });
const ackRoute = actionOf(
  'ack',
  'Acknowledge an alert',
  'Somebody has taken it on. It stays acknowledged until it is resolved.',
  words.openapi('AlertAction'),
);
const resolveRoute = actionOf(
  'resolve',
  'End an alert by hand',
  'It fires again once its condition has ended and begun anew.',
  words.openapi('AlertAction'),
);
const silenceOneRoute = actionOf(
  'silence',
  'Silence an alert',
  'Nobody is notified of its rule for its sensor until then; it is listed all the same.',
  silenceBody.openapi('AlertSilencing'),
);

const silencesRoute = createRoute({
  method: 'get',
  path: `${path}/silences`,
  tags,
  summary: 'List silences',
  description: 'Those that have not ended, oldest first.',
  responses: {
    200: { description: 'Silences', content: jsonContent(listSchema('SilenceList', silenceSchema)) },
    ...problems(400),
  },
});

const newSilenceRoute = createRoute({
  method: 'post',
  path: `${path}/silences`,
  tags,
  summary: 'Silence all alerts that match',
  description:
    'Those to come too. What is left out matches all. Sensors in state `maintenance` are silenced anyway.',
  request: bodyOf(newSilence.openapi('NewSilence')),
  responses: {
    201: { description: 'Silenced', content: jsonContent(silenceSchema) },
    ...problems(400, 409, 413, 415),
  },
});

const endSilenceRoute = createRoute({
  method: 'delete',
  path: `${path}/silences/{id}`,
  tags,
  summary: 'End a silence',
  description: 'Alerts that fire still are notified of then.',
  request: { params: idParams('3'), query: z.strictObject({}) },
  responses: {
    200: {
      description: 'Ended',
      content: jsonContent(z.object({ id: z.string().openapi({ example: '3' }) }).openapi('SilenceEnd')),
    },
    ...problems(400, 404),
  },
});

/** `/api/v1/alerts`. */
export function alerts(app: OpenAPIHono<ApiEnv>, { alerts: desk, access, clock, config }: ApiParts): void {
  const read = async <Body extends z.ZodType>(c: Context<ApiEnv>, schema: Body): Promise<z.output<Body>> => {
    const body = schema.safeParse(await readJson(c.req.raw, config.http.maxBodyBytes));
    if (!body.success) throw invalidFields(issuesOf(body.error, 'no such member'));
    return body.data;
  };
  const untilOf = (text: string): bigint => {
    const nowNs = clock.nowNs();
    const untilNs = parseTimeParameter('until', text, nowNs);
    if (untilNs <= nowNs) throw invalidFields([{ path: 'until', message: 'must lie ahead' }]);
    return untilNs;
  };

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

  app.openapi(silencesRoute, (c) => c.json(listOf(desk.silences().map(silenceToJson)), 200));

  app.openAPIRegistry.registerPath(newSilenceRoute);
  app.post(newSilenceRoute.path, async (c) => {
    const { rule, sensor, severity, until, by, comment } = await read(c, newSilence);
    const who = by ?? actorOf(access, c);
    const silence = desk.silence({ rule, sensor, severity, untilNs: untilOf(until), by: who, comment });
    return c.json(silenceToJson(silence), 201);
  });

  app.openapi(endSilenceRoute, (c) => {
    const { id } = c.req.valid('param');
    if (!desk.endSilence(id)) throw new TidemarkError('not_found', `there is no silence ${id}`);
    return c.json({ id }, 200);
  });

  app.openapi(oneRoute, (c) => c.json(alertToBody(found(c.req.valid('param').id)), 200));

  const found = (id: string): Alert => {
    const alert = desk.alert(id);
    if (alert === undefined) throw new TidemarkError('not_found', `there is no alert ${id}`);
    return alert;
  };

  app.openAPIRegistry.registerPath(ackRoute);
  app.post(`${path}/:id/ack`, async (c) => {
    const { by, comment } = await read(c, words);
    return c.json(
      alertToBody(desk.acknowledge(c.req.param('id'), { actor: by ?? actorOf(access, c), comment })),
    );
  });

  app.openAPIRegistry.registerPath(resolveRoute);
  app.post(`${path}/:id/resolve`, async (c) => {
    const { by, comment } = await read(c, words);
    return c.json(alertToBody(desk.resolve(c.req.param('id'), { actor: by ?? actorOf(access, c), comment })));
  });

  app.openAPIRegistry.registerPath(silenceOneRoute);
  app.post(`${path}/:id/silence`, async (c) => {
    const { until, by, comment } = await read(c, silenceBody);
    const { id, rule, sensor } = found(c.req.param('id'));
    const who = by ?? actorOf(access, c);
    desk.silence({ rule, sensor, severity: undefined, untilNs: untilOf(until), by: who, comment });
    return c.json(alertToBody(found(id)));
  });
}

function silenceToJson({ id, rule, sensor, severity, untilNs, createdNs, by, comment }: Silence) {
  return {
    id,
    rule: rule ?? null,
    sensor: sensor ?? null,
    severity: severity ?? null,
    until: formatTime(untilNs),
    created: formatTime(createdNs),
    by,
    comment: comment ?? null,
  };
}
