import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import {
  type Alert,
  formatTime,
  parseTimeParameter,
  type Silence,
  severities,
  TidemarkError,
} from '@tidemark/core';
import type { Context } from 'hono';
import { alertSchema, alertToBody, silenceSchema } from '../alerts-schemas.ts';
import { readOptionalJson } from '../body/read-json.ts';
import { actorOf } from '../middleware/access.ts';
import type { ApiEnv, ApiParts } from '../parts.ts';
import { invalidFields, issuesOf } from '../problem.ts';
import { bodyOf, idParams } from '../registry/route-parts.ts';
import { jsonContent, listOf, listSchema, problems } from '../schemas.ts';

const path = '/api/v1/alerts';
const tags = ['Alerts'];

const words = z.strictObject({
  by: z.string().min(1).max(200).optional().openapi({
    description: 'Who does it; the name of the token, or `local`, unless set.',
    example: 'ann',
  }),
  comment: z.string().max(1000).optional().openapi({ example: 'the fan is on its way' }),
});
const wordsIfAny = { body: { content: jsonContent(words.openapi('AlertAction')) } };
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

const actionOf = (name: string, summary: string, description: string, request: object) =>
  createRoute({
    method: 'post',
    path: `${path}/{id}/${name}`,
    tags,
    summary,
    description,
    request: { params: idParams('too-hot:greenhouse-1'), ...request },
    responses: {
      200: { description: 'The alert as it is now', content: jsonContent(alertSchema) },
      ...problems(400, 404, 409, 413, 415),
    },
  });
const ackRoute = actionOf(
  'ack',
  'Acknowledge an alert',
  'Somebody has taken it on. It stays acknowledged until it is resolved.',
  wordsIfAny,
);
const resolveRoute = actionOf(
  'resolve',
  'End an alert by hand',
  'It fires again once its condition has ended and begun anew.',
  wordsIfAny,
);
const silenceOneRoute = actionOf(
  'silence',
  'Silence an alert',
  'Nobody is notified of its rule for its sensor until then; it is listed all the same.',
  bodyOf(silenceBody.openapi('AlertSilencing')),
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

/** What people do about alerts: acknowledge, resolve, silence. Each leaves a line in the audit log. */
export function alertActions(app: OpenAPIHono<ApiEnv>, parts: ApiParts): void {
  const { alerts: desk, access, audit, clock, config } = parts;
  const read = async <Body extends z.ZodType>(c: Context<ApiEnv>, schema: Body): Promise<z.output<Body>> => {
    const body = schema.safeParse(await readOptionalJson(c.req.raw, config.http.maxBodyBytes));
    if (!body.success) throw invalidFields(issuesOf(body.error, 'no such member'));
    return body.data;
  };
  const untilOf = (text: string): bigint => {
    const nowNs = clock.nowNs();
    const untilNs = parseTimeParameter('until', text, nowNs);
    if (untilNs <= nowNs) throw invalidFields([{ path: 'until', message: 'must lie ahead' }]);
    return untilNs;
  };
  /** Who asks is the token's name, whoever it says that it was. */
  const note = (
    c: Context<ApiEnv>,
    action: string,
    { comment, ...target }: Record<string, string | undefined>,
  ): void => {
    const named = Object.entries(target).filter((entry): entry is [string, string] => entry[1] !== undefined);
    const cause = { actor: actorOf(access, c), note: comment };
    audit.begin({ action: `alert.${action}`, target: Object.fromEntries(named), cause });
  };
  const found = (id: string): Alert => {
    const alert = desk.alert(id);
    if (alert === undefined) throw new TidemarkError('not_found', `there is no alert ${id}`);
    return alert;
  };

  for (const [route, action, act] of [
    [ackRoute, 'acknowledge', desk.acknowledge.bind(desk)],
    [resolveRoute, 'resolve', desk.resolve.bind(desk)],
  ] as const) {
    app.openAPIRegistry.registerPath(route);
    app.post(route.getRoutingPath(), async (c) => {
      const { by, comment } = await read(c, words);
      const id = c.req.param('id')!;
      const alert = act(id, { actor: by ?? actorOf(access, c), comment });
      note(c, action, { id, by, comment });
      return c.json(alertToBody(alert));
    });
  }

  app.openAPIRegistry.registerPath(silenceOneRoute);
  app.post(silenceOneRoute.getRoutingPath(), async (c) => {
    const { until, by, comment } = await read(c, silenceBody);
    const { id, rule, sensor } = found(c.req.param('id')!);
    const untilNs = untilOf(until);
    desk.silence({ rule, sensor, severity: undefined, untilNs, by: by ?? actorOf(access, c), comment });
    note(c, 'silence', { id, until: formatTime(untilNs), by, comment });
    return c.json(alertToBody(found(id)));
  });

  app.openapi(silencesRoute, (c) => c.json(listOf(desk.silences().map(silenceToJson)), 200));

  app.openAPIRegistry.registerPath(newSilenceRoute);
  app.post(newSilenceRoute.path, async (c) => {
    const { rule, sensor, severity, until, by, comment } = await read(c, newSilence);
    const untilNs = untilOf(until);
    const silence = desk.silence({ rule, sensor, severity, untilNs, by: by ?? actorOf(access, c), comment });
    note(c, 'silence', { rule, sensor, severity, until: formatTime(untilNs), by, comment });
    return c.json(silenceToJson(silence), 201);
  });

  app.openapi(endSilenceRoute, (c) => {
    const { id } = c.req.valid('param');
    if (!desk.endSilence(id)) throw new TidemarkError('not_found', `there is no silence ${id}`);
    note(c, 'silence-end', { silence: id });
    return c.json({ id }, 200);
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
