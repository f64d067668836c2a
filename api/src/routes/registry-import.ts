import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { readJson } from '../body/read-json.ts';
import type { ApiEnv, ApiParts } from '../parts.ts';
import { invalidFields, issuesOf } from '../problem.ts';
import { planImport } from '../registry/plan-import.ts';
import { bodyOf, orInvalid } from '../registry/route-parts.ts';
import { newLocationSchema, newSensorSchema } from '../registry/schemas.ts';
import { jsonContent, problems } from '../schemas.ts';

const changeSchema = z.object({
  type: z.enum(['location', 'sensor']),
  id: z.string().openapi({ example: 'greenhouse-1' }),
  action: z.enum(['create', 'update', 'none']),
  members: z
    .array(z.string())
    .openapi({ description: 'What an update changes.', example: ['locationHistory'] }),
});

const route = createRoute({
  method: 'post',
  path: '/api/v1/registry/import',
  tags: ['Registry'],
  summary: 'Declare many locations and sensors at once',
  description:
    'All of it or, when anything is wrong, nothing. A member that an entry gives replaces what is there, one that it ' +
    'does not give stays; the same document again changes nothing.',
  request: {
    query: z.strictObject({
      dryRun: z
        .enum(['true', 'false'])
        .default('false')
        .openapi({ description: '`true` only says what would change.' }),
    }),
    ...bodyOf(
      z
        .object({
          locations: z.array(newLocationSchema).optional(),
          sensors: z.array(newSensorSchema).optional(),
        })
        .openapi('RegistryImport'),
    ),
  },
  responses: {
    200: {
      description: 'What has changed, or would',
      content: jsonContent(
        z
          .object({
            dryRun: z.boolean(),
            created: z.number().int(),
            updated: z.number().int(),
            unchanged: z.number().int(),
            changes: z.array(changeSchema),
          })
          .openapi('RegistryImportResult'),
      ),
    },
    ...problems(400, 409, 413, 415),
  },
});

/** `POST /api/v1/registry/import`. */
export function registryImport(app: OpenAPIHono<ApiEnv>, { registry, clock, config }: ApiParts): void {
  app.openAPIRegistry.registerPath(route);
  app.post(route.path, async (c) => {
    const query = route.request.query.safeParse(c.req.query());
    if (!query.success) throw invalidFields(issuesOf(query.error, 'no such parameter'));
    const isDryRun = query.data.dryRun === 'true';
    const body = await readJson(c.req.raw, config.http.maxBodyBytes);
    const maxMetrics = config.registry.maxMetricsPerSensor;
    const plan = orInvalid(planImport(body, { registry, nowNs: clock.nowNs(), maxMetrics }));
    const { changes, locations, sensors } = plan;
    if (!isDryRun && locations.length + sensors.length > 0) registry.write({ locations, sensors });
    const count = (action: string): number => changes.filter((change) => change.action === action).length;
    const counts = { created: count('create'), updated: count('update'), unchanged: count('none') };
    return c.json({ dryRun: isDryRun, ...counts, changes });
  });
}
