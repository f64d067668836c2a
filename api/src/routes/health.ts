import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { type PartHealth, TidemarkError } from '@tidemark/core';
import { isTrusted } from '../middleware/access.ts';
import type { ApiEnv, ApiParts } from '../parts.ts';
import { jsonContent, problems } from '../schemas.ts';

/** Without these no reading is taken; without the others, readings are safe and wait in the spool. */
const neededForReadings = ['broker', 'spool'];

const status = z.enum(['pass', 'fail']);
const checkStatus = z.enum(['pass', 'warn', 'fail']).openapi({
  description: '`warn`: something outside of the platform fails it, such as the receiver of a webhook.',
});
const checksSchema = z.array(z.object({ name: z.string(), status: checkStatus, message: z.string() }));
const healthSchema = z
  .object({
    name: z.string().openapi({ example: 'tidemark' }),
    message: z.string().openapi({ example: 'ready for queries and writes' }),
    status,
    checks: checksSchema.openapi({
      example: [{ name: 'store', status: 'pass', message: 'embedded, 12 series' }],
    }),
    version: z.string().openapi({ example: '0.1.0' }),
    flowsPort: z
      .number()
      .int()
      .optional()
      .describe('Port of the editor of flows, on the same host; absent where there is none')
      .openapi({ example: 1880 }),
  })
  .openapi('Health');

const readySchema = z
  .object({
    status: z.literal('ready'),
    failed: z.array(z.string()).openapi({ example: ['store'] }),
    checks: checksSchema,
  })
  .openapi('Ready');

const healthRoute = createRoute({
  method: 'get',
  path: '/health',
  tags: ['Operation'],
  summary: 'Health of every part',
  description: "InfluxDB's shape. Open to all; `checks` are shown to those who may read data.",
  responses: {
    200: { description: 'All parts are well', content: jsonContent(healthSchema) },
    503: { description: 'A part has failed', content: jsonContent(healthSchema) },
  },
});

const readyRoute = createRoute({
  method: 'get',
  path: '/ready',
  tags: ['Operation'],
  summary: 'Whether the platform serves',
  description:
    'Ready means that readings are taken. It stays so while the store is out, since readings wait in the spool and ' +
    'devices should go on: `failed` then names what is out, `checks` says why to those who may read data.',
  responses: {
    200: { description: 'It does', content: jsonContent(readySchema) },
    ...problems(503),
  },
});

/** The InfluxDB whose `/write` and `/query` clients may expect; the rest of the version is ours. */
const likeInfluxdb = '1.8.10';

const pingRoute = createRoute({
  method: 'get',
  path: '/ping',
  tags: ['Operation'],
  summary: 'Whether the process answers',
  description:
    "Clients of InfluxDB read `X-Influxdb-Version`: the version 1 whose routes are served, with Tidemark's behind it.",
  responses: {
    204: {
      description: 'It does',
      headers: z.object({
        'X-Influxdb-Version': z.string().openapi({ example: '1.8.10-tidemark.0.1.0' }),
        'X-Influxdb-Build': z.literal('tidemark'),
      }),
    },
  },
});

const metricsRoute = createRoute({
  method: 'get',
  path: '/metrics',
  tags: ['Operation'],
  summary: "Metrics in Prometheus' text format",
  responses: {
    200: { description: 'Metrics', content: { 'text/plain': { schema: z.string() } } },
    ...problems(),
  },
});

/** What a process tells of itself. */
export type HealthParts = Pick<
  ApiParts,
  'access' | 'build' | 'flowsPort' | 'health' | 'isReady' | 'localHealth' | 'metrics'
>;

/** `GET /health`, `/ready`, `/ping`, `/metrics`; `well` is what health says where nothing has failed. */
export function health(app: OpenAPIHono<ApiEnv>, parts: HealthParts, well: string): void {
  app.openapi(healthRoute, async (c) => {
    const checks = await parts.health();
    const failed = namesOfFailed(checks);
    const body = {
      name: 'tidemark',
      message: failed.length === 0 ? well : `failed: ${failed.join(', ')}`,
      checks: isTrusted(parts.access, c) ? checks : [],
      version: parts.build.version,
      flowsPort: parts.flowsPort(),
    };
    if (failed.length > 0) return c.json({ ...body, status: 'fail' as const }, 503);
    return c.json({ ...body, status: 'pass' as const }, 200);
  });

  app.openapi(readyRoute, (c) => {
    if (!parts.isReady()) throw new TidemarkError('unavailable', 'not ready yet');
    const isOpen = isTrusted(parts.access, c);
    const checks = parts.localHealth();
    const failed = namesOfFailed(checks);
    const blocking = checks.filter(({ name }) => failed.includes(name) && neededForReadings.includes(name));
    if (blocking.length > 0) {
      const why = blocking.map(({ name, message }) => (isOpen ? `${name}: ${message}` : name)).join('; ');
      throw new TidemarkError('unavailable', `no readings are taken now: ${why}`);
    }
    return c.json({ status: 'ready' as const, failed, checks: isOpen ? checks : [] }, 200);
  });

  app.openapi(pingRoute, (c) =>
    c.body(null, 204, {
      'X-Influxdb-Version': `${likeInfluxdb}-tidemark.${parts.build.version}`,
      'X-Influxdb-Build': 'tidemark',
    }),
  );

  app.openapi(metricsRoute, async (c) =>
    c.text(await parts.metrics.metrics(), 200, { 'content-type': parts.metrics.contentType }),
  );
}

function namesOfFailed(checks: readonly PartHealth[]): string[] {
  return checks.filter((check) => check.status === 'fail').map((check) => check.name);
}
