import { setTimeout as delay } from 'node:timers/promises';
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { readJson } from '../body/read-json.ts';
import { actorOf } from '../middleware/access.ts';
import type { ApiEnv, ApiParts } from '../parts.ts';
import { invalidFields, issuesOf } from '../problem.ts';
import { noteParameter } from '../query.ts';
import { deleteSensor, foundSensor } from '../registry/change-sensors.ts';
import { checkConditions, etagOf } from '../registry/conditions.ts';
import { idMember } from '../registry/members.ts';
import { bodyOf, conditionHeaders, entryResponse, idParams } from '../registry/route-parts.ts';
import { sensorSchema } from '../registry/schemas.ts';
import { sensorToJson } from '../registry/sensor-document.ts';
import { jsonContent, problems } from '../schemas.ts';

const path = '/api/v1/sensors';
const tags = ['Registry'];
/** How long an answer waits for a rename; the store may be down for hours. */
const MAX_WAIT_MS = 10_000;

const deleteRoute = createRoute({
  method: 'delete',
  path: `${path}/{id}`,
  tags,
  summary: 'Delete a sensor, with its data or without',
  description:
    'With `data=keep` what the store holds stays and can be queried. A device that goes on reporting registers itself ' +
    'again in open mode; its readings are quarantined in strict mode.',
  request: {
    params: idParams('greenhouse-1'),
    query: z.strictObject({
      data: z
        .enum(['keep', 'delete'])
        .default('keep')
        .openapi({ description: '`delete` removes all that the store holds of the sensor, for ever.' }),
      note: noteParameter,
    }),
    headers: conditionHeaders,
  },
  responses: {
    200: {
      description: 'Deleted, and what became of the data',
      content: jsonContent(
        z
          .object({
            id: z.string().openapi({ example: 'greenhouse-1' }),
            data: z.enum(['kept', 'deleted']),
            points: z.number().int().nullable().openapi({
              description: 'Values kept or deleted; null when they are kept and the store cannot count them.',
              example: 86_400,
            }),
          })
          .openapi('SensorDeletion'),
      ),
    },
    ...problems(400, 404, 412, 503),
  },
});

const renameBody = z.strictObject({ id: idMember });
const renameRoute = createRoute({
  method: 'post',
  path: `${path}/{id}/rename`,
  tags,
  summary: 'Give a sensor another id',
  description:
    'Its history goes with it: queries by the new id find everything. Its device may go on using the old id; what it ' +
    'sends is stored under the new one.',
  request: {
    params: idParams('gh1'),
    query: z.strictObject({ note: noteParameter }),
    headers: conditionHeaders,
    ...bodyOf(z.object({ id: z.string().openapi({ example: 'greenhouse-1' }) }).openapi('SensorRename')),
  },
  responses: {
    200: entryResponse('Renamed', sensorSchema),
    202: entryResponse(
      'It will be renamed as soon as the store takes it; until then what it reports is stored under the id of now, ' +
        'and `rename` says how it stands',
      sensorSchema,
    ),
    ...problems(400, 404, 409, 412, 413, 415),
  },
});

/** `DELETE /api/v1/sensors/{id}`, `POST /api/v1/sensors/{id}/rename`. */
export function sensorChanges(app: OpenAPIHono<ApiEnv>, parts: ApiParts): void {
  const { registry, history, access, clock, config } = parts;
  const found = (id: string) => foundSensor(registry, id);

  app.openapi(deleteRoute, async (c) => {
    const sensor = found(c.req.valid('param').id);
    checkConditions(c, sensor);
    const { data: wanted, note } = c.req.valid('query');
    const data = wanted === 'delete' ? ('deleted' as const) : ('kept' as const);
    const cause = { actor: actorOf(access, c), note };
    const points = await deleteSensor(parts, sensor, { data, cause });
    return c.json({ id: sensor.id, data, points }, 200);
  });

  app.openAPIRegistry.registerPath(renameRoute);
  app.post(`${path}/:id/rename`, async (c) => {
    const query = renameRoute.request.query.safeParse(c.req.query());
    if (!query.success) throw invalidFields(issuesOf(query.error, 'no such parameter'));
    const body = renameBody.safeParse(await readJson(c.req.raw, config.http.maxBodyBytes));
    if (!body.success) throw invalidFields(issuesOf(body.error, 'no such member'));
    const sensor = found(c.req.param('id'));
    checkConditions(c, sensor);
    const cause = { actor: actorOf(access, c), note: query.data.note };
    const renaming = history.rename(sensor.id, body.data.id, cause);
    const isDone = await Promise.race([renaming.then(() => true), delay(MAX_WAIT_MS, false, { ref: false })]);
    // What still waits for the store is logged where it fails.
    if (!isDone) renaming.catch(() => {});
    const now = found(sensor.id);
    const document = sensorToJson(now, clock.nowNs(), { rename: history.renameOf(now.id) });
    return c.json(document, isDone ? 200 : 202, { etag: etagOf(now) });
  });
}
