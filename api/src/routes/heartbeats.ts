import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { formatTime, type ServiceStatus, TidemarkError } from '@tidemark/core';
import { readJson } from '../body/read-json.ts';
import type { ApiEnv, ApiParts } from '../parts.ts';
import { invalidFields, issuesOf } from '../problem.ts';
import { jsonContent, listOf, listSchema, problems } from '../schemas.ts';

const path = '/api/v1/heartbeats';
const tags = ['Heartbeats'];

const beatSchema = z
  .strictObject({
    service: z.string().openapi({ example: 'billing' }),
    latencyMs: z.number().min(0).optional().openapi({ description: 'How long its own work takes it.' }),
    timeoutMs: z
      .number()
      .int()
      .optional()
      .openapi({ description: 'How long it may be silent before it counts as down.', example: 30_000 }),
  })
  .openapi('Heartbeat');

const time = z.string().openapi({ format: 'date-time' });
const serviceSchema = z
  .object({
    service: z.string().openapi({ example: 'billing' }),
    kind: z.enum(['beat', 'check', 'part']).openapi({
      description:
        '`beat`: it sends heartbeats; `check`: its address is looked at; `part`: a part of the platform.',
    }),
    state: z.enum(['up', 'down']),
    since: time,
    lastSeen: time.nullable(),
    latencyMs: z.number().nullable(),
    message: z.string().openapi({ description: 'What is wrong; empty while it is up.' }),
  })
  .openapi('Service');

const postRoute = createRoute({
  method: 'post',
  path,
  tags,
  summary: 'Say that a service is up',
  description:
    'The answer is given once the heartbeat is on stable storage. A service that then is silent for too long is down: ' +
    'the alert `service-down:<service>` fires, and resolves with its next heartbeat.',
  request: { body: { required: true, content: jsonContent(beatSchema) } },
  responses: {
    200: {
      description: 'Taken',
      content: jsonContent(z.object({ service: z.string(), time }).openapi('HeartbeatTaken')),
    },
    ...problems(400, 409, 413, 415, 503),
  },
});

const listRoute = createRoute({
  method: 'get',
  path,
  tags,
  summary: 'Services and whether they are up',
  description: 'All that are watched, by name.',
  request: { query: z.strictObject({}) },
  responses: {
    200: { description: 'Services', content: jsonContent(listSchema('ServiceList', serviceSchema)) },
    ...problems(400),
  },
});

const deleteRoute = createRoute({
  method: 'delete',
  path: `${path}/{service}`,
  tags,
  summary: 'Stop watching a service that sends heartbeats',
  description: 'Ends its alert. It is watched again with its next heartbeat.',
  request: {
    params: z.object({ service: z.string().openapi({ example: 'billing' }) }),
    query: z.strictObject({}),
  },
  responses: { 204: { description: 'No longer watched' }, ...problems(400, 404) },
});

/** `/api/v1/heartbeats`. */
export function heartbeats(app: OpenAPIHono<ApiEnv>, { heartbeats: known, config }: ApiParts): void {
  app.openAPIRegistry.registerPath(postRoute);
  app.post(path, async (c) => {
    const body = beatSchema.safeParse(await readJson(c.req.raw, config.http.maxBodyBytes));
    if (!body.success) throw invalidFields(issuesOf(body.error, 'no such member'));
    const timeNs = await known.beat(body.data);
    return c.json({ service: body.data.service, time: formatTime(timeNs) });
  });

  app.openapi(listRoute, (c) => c.json(listOf(known.services().map(toJson), null), 200));

  app.openapi(deleteRoute, (c) => {
    const { service } = c.req.valid('param');
    if (!known.forget(service))
      throw new TidemarkError('not_found', `no service ${service} sends heartbeats`);
    return c.body(null, 204);
  });
}

function toJson({ service, kind, isUp, sinceNs, lastSeenNs, latencyMs, message }: ServiceStatus) {
  return {
    service,
    kind,
    state: isUp ? ('up' as const) : ('down' as const),
    since: formatTime(sinceNs),
    lastSeen: lastSeenNs === undefined ? null : formatTime(lastSeenNs),
    latencyMs: latencyMs ?? null,
    message,
  };
}
