import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { formatTime, idProblem, parseTimeParameter } from '@tidemark/core';
import { readJson } from '../body/read-json.ts';
import type { ApiEnv, ApiParts } from '../parts.ts';
import { invalidFields, issuesOf } from '../problem.ts';
import { jsonContent, problems, time } from '../schemas.ts';

const MAX_BODY_BYTES = 64 * 1024;
const MAX_SENSORS = 1000;

const metricSchema = z
  .object({
    metric: z.string().openapi({ example: 'dew_point' }),
    unit: z.string().nullable().openapi({ example: '°C' }),
    sensors: z.array(z.string()).openapi({ description: 'Patterns of sensors.', example: ['greenhouse-*'] }),
    operator: z.enum(['expression', 'rate', 'counter', 'speed']),
  })
  .openapi('DerivedMetric');

const listRoute = createRoute({
  method: 'get',
  path: '/api/v1/derived',
  tags: ['Derived metrics'],
  summary: 'The metrics that are computed from others',
  request: { query: z.strictObject({}) },
  responses: {
    200: {
      description: 'As the settings declare them',
      content: jsonContent(
        z.object({ items: z.array(metricSchema), count: z.number().int(), isEmpty: z.boolean() }),
      ),
    },
    ...problems(400),
  },
});

const bodySchema = z
  .strictObject({
    metric: z.string().openapi({ example: 'dew_point' }),
    sensors: z
      .array(z.string().refine((id) => idProblem(id) === undefined, 'is no id'))
      .max(MAX_SENSORS)
      .default([])
      .openapi({ description: 'Only these; all that the metric is declared for by default.' }),
    from: z.string().openapi({ description: 'Inclusive.', example: '2026-01-01T00:00:00Z' }),
    to: z.string().default('now').openapi({ description: 'Exclusive; now by default.', example: 'now-1h' }),
    dryRun: z.boolean().default(false).openapi({ description: 'Only count.' }),
  })
  .openapi('Derivation');

const deriveRoute = createRoute({
  method: 'post',
  path: '/api/v1/derived',
  tags: ['Derived metrics'],
  summary: 'Derive a metric from readings that are stored already',
  description:
    'For a metric that was declared after its readings had come. Goes through some 100 000 readings and answers where the ' +
    'next call goes on. Doing it twice changes nothing.',
  request: { body: { required: true, content: jsonContent(bodySchema) } },
  responses: {
    200: {
      description: 'How far it came; what it wrote is durable',
      content: jsonContent(
        z
          .object({
            readings: z.number().int().openapi({ description: 'Gone through.' }),
            values: z.number().int().openapi({ description: 'Derived.' }),
            next: time.nullable().openapi({ description: '`from` of the next call; null when it is done.' }),
          })
          .openapi('DerivationStep'),
      ),
    },
    ...problems(400, 404, 413, 415, 503),
  },
});

/** `GET` and `POST /api/v1/derived`. */
export function derived(app: OpenAPIHono<ApiEnv>, { derivation, clock }: ApiParts): void {
  app.openapi(listRoute, (c) => {
    const items = derivation.metrics.map(({ metric, unit, sensors, operator }) => ({
      metric,
      unit: unit ?? null,
      sensors,
      operator: operator.kind,
    }));
    return c.json({ items, count: items.length, isEmpty: items.length === 0 }, 200);
  });
  app.openAPIRegistry.registerPath(deriveRoute);
  app.post(deriveRoute.path, async (c) => {
    const body = bodySchema.safeParse(await readJson(c.req.raw, MAX_BODY_BYTES));
    if (!body.success) throw invalidFields(issuesOf(body.error, 'no such member'));
    const { metric, sensors, from, to, dryRun } = body.data;
    const nowNs = clock.nowNs();
    const range = {
      fromNs: parseTimeParameter('from', from, nowNs),
      toNs: parseTimeParameter('to', to, nowNs),
    };
    const { readings, values, nextNs } = await derivation.derive({
      metric,
      sensors,
      ...range,
      isDryRun: dryRun,
    });
    return c.json({ readings, values, next: nextNs === undefined ? null : formatTime(nextNs) });
  });
}
