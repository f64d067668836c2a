import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { knownLocation, type Sensor, sensorStates, TidemarkError } from '@tidemark/core';
import type { Context } from 'hono';
import { readJson } from '../body/read-json.ts';
import { decodeCursor, encodeCursor } from '../cursor.ts';
import type { ApiEnv, ApiParts } from '../parts.ts';
import { cursorParameter, limitParameter, listParameter } from '../query.ts';
import { createSensor, foundSensor, takenText, writeSensor } from '../registry/change-sensors.ts';
import { checkConditions, etagOf } from '../registry/conditions.ts';
import { isObject, mergePatch } from '../registry/merge-patch.ts';
import { pageById } from '../registry/page-by-id.ts';
import { bodyOf, conditionHeaders, entryResponse, idParams } from '../registry/route-parts.ts';
import { newSensorSchema, sensorPatchSchema, sensorSchema } from '../registry/schemas.ts';
import { lastSeenOf, seenOf } from '../registry/sensor-data.ts';
import { sensorDeclaration, sensorToJson } from '../registry/sensor-document.ts';
import { jsonContent, listOf, listSchema, problems } from '../schemas.ts';

const path = '/api/v1/sensors';
const tags = ['Registry'];

const sensorQuery = z.strictObject({
  location: z.string().optional().openapi({ description: 'Only those that are at this location now.' }),
  kind: z.string().optional().openapi({ description: 'Only those of this kind.' }),
  label: listParameter('Only those with all of these labels, `key=value`, or `key` with any value.', [
    'floor=2',
  ]).optional(),
  state: z.enum(sensorStates).optional().openapi({ description: 'Only those in this state.' }),
  owner: z.string().optional().openapi({ description: 'Only those of this owner.' }),
  q: z.string().optional().openapi({ description: 'Only those whose id, kind or owner holds this text.' }),
  limit: limitParameter(1000, 100),
  cursor: cursorParameter,
});

const listRoute = createRoute({
  method: 'get',
  path,
  tags,
  summary: 'List sensors',
  description: 'In order of their ids. Without `lastSeen` while the store cannot be asked.',
  request: { query: sensorQuery },
  responses: {
    200: { description: 'Sensors', content: jsonContent(listSchema('SensorList', sensorSchema)) },
    ...problems(400),
  },
});

const oneRoute = createRoute({
  method: 'get',
  path: `${path}/{id}`,
  tags,
  summary: 'One sensor',
  description: 'By its id, or by one that it had before.',
  request: { params: idParams('greenhouse-1'), query: z.strictObject({}) },
  responses: { 200: entryResponse('The sensor', sensorSchema), ...problems(400, 404) },
});

const createRouteOf = createRoute({
  method: 'post',
  path,
  tags,
  summary: 'Register a sensor',
  description:
    'One that registered itself is taken over. A `location` without `since` counts as its place from the beginning.',
  request: bodyOf(newSensorSchema),
  responses: { 201: entryResponse('Registered', sensorSchema), ...problems(400, 409, 413, 415) },
});

const replaceRoute = createRoute({
  method: 'put',
  path: `${path}/{id}`,
  tags,
  summary: 'Register a sensor, or replace all that was declared of it',
  description:
    'Replacing asks for `If-Match`: the ETag that the change was made from, or `*`. Without `locationHistory` the history stays.',
  request: { params: idParams('greenhouse-1'), headers: conditionHeaders, ...bodyOf(sensorPatchSchema) },
  responses: {
    200: entryResponse('Replaced', sensorSchema),
    201: entryResponse('Registered', sensorSchema),
    ...problems(400, 409, 412, 413, 415, 428),
  },
});

const patchRoute = createRoute({
  method: 'patch',
  path: `${path}/{id}`,
  tags,
  summary: 'Change a part of a sensor, or move it',
  description:
    'JSON Merge Patch (RFC 7396): null takes a member away. `{"location": "x"}` moves it from now on, with `since` from ' +
    'then on; where it was before stays known, and late readings get the location of their own time. `If-Match` is optional.',
  request: {
    params: idParams('greenhouse-1'),
    headers: conditionHeaders,
    ...bodyOf(sensorPatchSchema, 'application/merge-patch+json'),
  },
  responses: { 200: entryResponse('Changed', sensorSchema), ...problems(400, 404, 412, 413, 415) },
});

/** `/api/v1/sensors`. */
export function sensors(app: OpenAPIHono<ApiEnv>, parts: ApiParts): void {
  const { registry, history, engine, clock, config } = parts;
  const found = (id: string) => foundSensor(registry, id);
  const bodyOfRequest = (c: Context<ApiEnv>) => readJson(c.req.raw, config.http.maxBodyBytes);
  const toJson = (sensor: Sensor) => sensorToJson(sensor, clock.nowNs());

  app.openapi(listRoute, async (c) => {
    const { limit, cursor, ...query } = c.req.valid('query');
    const after = cursor === undefined ? '' : decodeCursor(cursor, 1)[0]!;
    const matches = matcherOf(query, clock.nowNs());
    const page = pageById(registry.sensors(), { after, limit, matches });
    const shown = page.slice(0, limit);
    const lastNs = await lastSeenOf(engine, shown);
    const items = shown.map((sensor) =>
      sensorToJson(sensor, clock.nowNs(), { lastNs: lastNs.get(sensor.id) }),
    );
    const next = page.length > limit ? encodeCursor(shown.at(-1)!.id) : null;
    return c.json(listOf(items, next), 200);
  });

  app.openapi(oneRoute, async (c) => {
    const sensor = found(c.req.valid('param').id);
    const seen = await seenOf(engine, sensor);
    const rename = history.renameOf(sensor.id);
    return c.json(sensorToJson(sensor, clock.nowNs(), { ...seen, rename }), 200, { etag: etagOf(sensor) });
  });

  app.openAPIRegistry.registerPath(createRouteOf);
  app.post(path, async (c) => {
    const body = await bodyOfRequest(c);
    const sensor = createSensor(parts, body);
    const headers = { etag: etagOf(sensor), location: `${path}/${encodeURIComponent(sensor.id)}` };
    return c.json(toJson(sensor), 201, headers);
  });

  app.openAPIRegistry.registerPath(replaceRoute);
  app.put(`${path}/:id`, async (c) => {
    const id = c.req.param('id');
    const body = await bodyOfRequest(c);
    const existing = registry.sensor(id);
    if (existing && existing.id !== id) throw new TidemarkError('conflict', takenText(id, existing));
    checkConditions(c, existing, { isMatchRequired: true });
    const document = isObject(body) ? { ...body, id: body.id ?? id } : body;
    const isNew = existing === undefined;
    const sensor = writeSensor(parts, { id, body: document, existing, isNew });
    return c.json(toJson(sensor), existing ? 200 : 201, { etag: etagOf(sensor) });
  });

  app.openAPIRegistry.registerPath(patchRoute);
  app.patch(`${path}/:id`, async (c) => {
    const body = await bodyOfRequest(c);
    const existing = found(c.req.param('id'));
    checkConditions(c, existing);
    const merged = mergePatch(sensorDeclaration(existing), body);
    // A merge patch takes null for "away"; here it says that the sensor is nowhere known from now on.
    if (isObject(merged) && isObject(body) && body.location === null) merged.location = null;
    const sensor = writeSensor(parts, { id: existing.id, body: merged, existing, isNew: false });
    return c.json(toJson(sensor), 200, { etag: etagOf(sensor) });
  });
}

type Filter = Omit<z.output<typeof sensorQuery>, 'limit' | 'cursor'>;

function matcherOf({ location, kind, label, state, owner, q }: Filter, nowNs: bigint) {
  const labels = (label ?? []).map((text) => {
    const [key = '', ...value] = text.split('=');
    return { key, value: value.length === 0 ? undefined : value.join('=') };
  });
  const text = q?.toLowerCase();
  return (sensor: Sensor): boolean =>
    (location === undefined || knownLocation(sensor, nowNs) === location) &&
    (kind === undefined || sensor.kind === kind) &&
    (state === undefined || sensor.state === state) &&
    (owner === undefined || sensor.owner === owner) &&
    labels.every(({ key, value }) =>
      value === undefined ? key in sensor.labels : sensor.labels[key] === value,
    ) &&
    (text === undefined ||
      [sensor.id, sensor.kind, sensor.owner].some((part) => part?.toLowerCase().includes(text)));
}
