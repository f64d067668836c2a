import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { type Location, type Sensor, TidemarkError } from '@tidemark/core';
import type { SensorRegistry } from '@tidemark/store';
import type { Context } from 'hono';
import { readJson } from '../body/read-json.ts';
import { decodeCursor, encodeCursor } from '../cursor.ts';
import { actorOf } from '../middleware/access.ts';
import type { ApiEnv, ApiParts } from '../parts.ts';
import { cursorParameter, limitParameter, noteParameter } from '../query.ts';
import { checkConditions, etagOf } from '../registry/conditions.ts';
import {
  locationDeclaration,
  locationToJson,
  parentIssues,
  readLocation,
} from '../registry/location-document.ts';
import { isObject, mergePatch } from '../registry/merge-patch.ts';
import { pageById } from '../registry/page-by-id.ts';
import { bodyOf, conditionHeaders, entryResponse, idParams, orInvalid } from '../registry/route-parts.ts';
import { locationPatchSchema, locationSchema, newLocationSchema } from '../registry/schemas.ts';
import { jsonContent, listOf, listSchema, problems } from '../schemas.ts';

const path = '/api/v1/locations';
const tags = ['Registry'];
/** Sensors that a refusal names. */
const MAX_NAMED = 20;

const listRoute = createRoute({
  method: 'get',
  path,
  tags,
  summary: 'List locations',
  description: 'In order of their ids.',
  request: {
    query: z.strictObject({
      parent: z.string().optional().openapi({ description: 'Only those directly in this one.' }),
      q: z.string().optional().openapi({ description: 'Only those whose id or name holds this text.' }),
      limit: limitParameter(1000, 100),
      cursor: cursorParameter,
    }),
  },
  responses: {
    200: { description: 'Locations', content: jsonContent(listSchema('LocationList', locationSchema)) },
    ...problems(400),
  },
});

const oneRoute = createRoute({
  method: 'get',
  path: `${path}/{id}`,
  tags,
  summary: 'One location',
  request: { params: idParams('north-hall'), query: z.strictObject({}) },
  responses: { 200: entryResponse('The location', locationSchema), ...problems(400, 404) },
});

const createRouteOf = createRoute({
  method: 'post',
  path,
  tags,
  summary: 'Create a location',
  description: 'One that only a message named so far is taken over.',
  request: bodyOf(newLocationSchema),
  responses: { 201: entryResponse('Created', locationSchema), ...problems(400, 409, 413, 415) },
});

const replaceRoute = createRoute({
  method: 'put',
  path: `${path}/{id}`,
  tags,
  summary: 'Create a location, or replace all of it',
  description: 'Replacing asks for `If-Match`: the ETag that the change was made from, or `*`.',
  request: { params: idParams('north-hall'), headers: conditionHeaders, ...bodyOf(locationPatchSchema) },
  responses: {
    200: entryResponse('Replaced', locationSchema),
    201: entryResponse('Created', locationSchema),
    ...problems(400, 412, 413, 415, 428),
  },
});

const patchRoute = createRoute({
  method: 'patch',
  path: `${path}/{id}`,
  tags,
  summary: 'Change a part of a location',
  description: 'JSON Merge Patch (RFC 7396): null takes a member away. `If-Match` is optional.',
  request: {
    params: idParams('north-hall'),
    headers: conditionHeaders,
    ...bodyOf(locationPatchSchema, 'application/merge-patch+json'),
  },
  responses: { 200: entryResponse('Changed', locationSchema), ...problems(400, 404, 412, 413, 415) },
});

const deleteRoute = createRoute({
  method: 'delete',
  path: `${path}/{id}`,
  tags,
  summary: 'Delete a location',
  description: 'Refused while a sensor is or was there, or another location lies in it; readings stay.',
  request: {
    params: idParams('north-hall'),
    query: z.strictObject({ note: noteParameter }),
    headers: conditionHeaders,
  },
  responses: { 204: { description: 'Deleted' }, ...problems(400, 404, 409, 412) },
});

/** `/api/v1/locations`. */
export function locations(app: OpenAPIHono<ApiEnv>, parts: ApiParts): void {
  const { registry, audit, access, clock, config } = parts;
  const write = (id: string, body: unknown, existing: Location | undefined): Location => {
    const read = readLocation(body, { id, existing, nowNs: clock.nowNs() });
    const parentFaults = parentIssues(id, body, registry);
    const location = orInvalid(
      parentFaults.length === 0 ? read : [...(Array.isArray(read) ? read : []), ...parentFaults],
    );
    registry.write({ locations: [location] });
    return location;
  };
  const bodyOfRequest = (c: Context<ApiEnv>) => readJson(c.req.raw, config.http.maxBodyBytes);

  app.openapi(listRoute, (c) => {
    const { parent, q, limit, cursor } = c.req.valid('query');
    const after = cursor === undefined ? '' : decodeCursor(cursor, 1)[0]!;
    const text = q?.toLowerCase() ?? '';
    const matches = (location: Location): boolean =>
      (parent === undefined || location.parent === parent) &&
      `${location.id}\n${location.name}`.toLowerCase().includes(text);
    const found = pageById(registry.locations(), { after, limit, matches });
    const items = found.slice(0, limit);
    const next = found.length > limit ? encodeCursor(items.at(-1)!.id) : null;
    return c.json(listOf(items.map(locationToJson), next), 200);
  });

  app.openapi(oneRoute, (c) => {
    const location = found(registry, c.req.valid('param').id);
    return c.json(locationToJson(location), 200, { etag: etagOf(location) });
  });

  app.openAPIRegistry.registerPath(createRouteOf);
  app.post(path, async (c) => {
    const body = await bodyOfRequest(c);
    const id = isObject(body) && typeof body.id === 'string' ? body.id : '';
    const existing = registry.location(id);
    if (existing && !existing.isSelfRegistered)
      throw new TidemarkError('conflict', `location ${id} exists; PATCH or PUT ${path}/${id} changes it`);
    const location = write(id, isObject(body) ? { ...body, id: body.id ?? '' } : body, existing);
    const headers = { etag: etagOf(location), location: `${path}/${encodeURIComponent(id)}` };
    return c.json(locationToJson(location), 201, headers);
  });

  app.openAPIRegistry.registerPath(replaceRoute);
  app.put(`${path}/:id`, async (c) => {
    const id = c.req.param('id');
    const body = await bodyOfRequest(c);
    const existing = registry.location(id);
    checkConditions(c, existing, { isMatchRequired: true });
    const location = write(id, isObject(body) ? { ...body, id: body.id ?? id } : body, existing);
    return c.json(locationToJson(location), existing ? 200 : 201, { etag: etagOf(location) });
  });

  app.openAPIRegistry.registerPath(patchRoute);
  app.patch(`${path}/:id`, async (c) => {
    const body = await bodyOfRequest(c);
    const existing = found(registry, c.req.param('id'));
    checkConditions(c, existing);
    const location = write(existing.id, mergePatch(locationDeclaration(existing), body), existing);
    return c.json(locationToJson(location), 200, { etag: etagOf(location) });
  });

  app.openapi(deleteRoute, (c) => {
    const location = found(registry, c.req.valid('param').id);
    checkConditions(c, location);
    refuseWhileInUse(registry, location.id);
    const { id } = location;
    const cause = { actor: actorOf(access, c), note: c.req.valid('query').note };
    registry.write({ removedLocations: [id] }, () =>
      audit.count(audit.begin({ action: 'location.delete', target: { id }, cause }), { locations: 1 }),
    );
    return c.body(null, 204);
  });
}

function found(registry: SensorRegistry, id: string): Location {
  const location = registry.location(id);
  if (location === undefined) throw new TidemarkError('not_found', `there is no location ${id}`);
  return location;
}

function refuseWhileInUse(registry: SensorRegistry, id: string): void {
  const isThere = ({ stays }: Sensor): boolean => stays.some(({ location }) => location === id);
  const isInside = ({ parent }: Location): boolean => parent === id;
  const sensors = idsWhere(registry.sensors(), isThere);
  const inside = idsWhere(registry.locations(), isInside);
  const uses = [
    ...(sensors.length > 0 ? [`sensors are or were there: ${sensors.join(', ')}`] : []),
    ...(inside.length > 0 ? [`locations lie in it: ${inside.join(', ')}`] : []),
  ];
  if (uses.length > 0) throw new TidemarkError('conflict', `location ${id} is in use; ${uses.join('; ')}`);
}

/** The first ids of those that are so, with an ellipsis where there are more. */
function idsWhere<Entry extends { id: string }>(
  entries: Iterable<Entry>,
  matches: (entry: Entry) => boolean,
): string[] {
  const page = pageById(entries, { after: '', limit: MAX_NAMED, matches }).map(({ id }) => id);
  return page.length > MAX_NAMED ? [...page.slice(0, MAX_NAMED), '…'] : page;
}
