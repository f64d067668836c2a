import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import type { Location } from '@tidemark/core';
import type { Context } from 'hono';
import { readJson } from '../body/read-json.ts';
import { decodeCursor, encodeCursor } from '../cursor.ts';
import { actorOf } from '../middleware/access.ts';
import type { ApiEnv, ApiParts } from '../parts.ts';
import { cursorParameter, limitParameter, noteParameter } from '../query.ts';
import {
  createLocation,
  deleteLocation,
  foundLocation,
  writeLocation,
} from '../registry/change-locations.ts';
import { checkConditions, etagOf } from '../registry/conditions.ts';
import { locationDeclaration, locationToJson } from '../registry/location-document.ts';
import { isObject, mergePatch } from '../registry/merge-patch.ts';
import { pageById } from '../registry/page-by-id.ts';
import { bodyOf, conditionHeaders, entryResponse, idParams } from '../registry/route-parts.ts';
import { locationPatchSchema, locationSchema, newLocationSchema } from '../registry/schemas.ts';
import { jsonContent, listOf, listSchema, problems } from '../schemas.ts';

const path = '/api/v1/locations';
const tags = ['Registry'];

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
  const { registry, access, config } = parts;
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
    const location = foundLocation(registry, c.req.valid('param').id);
    return c.json(locationToJson(location), 200, { etag: etagOf(location) });
  });

  app.openAPIRegistry.registerPath(createRouteOf);
  app.post(path, async (c) => {
    const body = await bodyOfRequest(c);
    const location = createLocation(parts, body);
    const headers = { etag: etagOf(location), location: `${path}/${encodeURIComponent(location.id)}` };
    return c.json(locationToJson(location), 201, headers);
  });

  app.openAPIRegistry.registerPath(replaceRoute);
  app.put(`${path}/:id`, async (c) => {
    const id = c.req.param('id');
    const body = await bodyOfRequest(c);
    const existing = registry.location(id);
    checkConditions(c, existing, { isMatchRequired: true });
    const document = isObject(body) ? { ...body, id: body.id ?? id } : body;
    const location = writeLocation(parts, { id, body: document, existing });
    return c.json(locationToJson(location), existing ? 200 : 201, { etag: etagOf(location) });
  });

  app.openAPIRegistry.registerPath(patchRoute);
  app.patch(`${path}/:id`, async (c) => {
    const body = await bodyOfRequest(c);
    const existing = foundLocation(registry, c.req.param('id'));
    checkConditions(c, existing);
    const merged = mergePatch(locationDeclaration(existing), body);
    const location = writeLocation(parts, { id: existing.id, body: merged, existing });
    return c.json(locationToJson(location), 200, { etag: etagOf(location) });
  });

  app.openapi(deleteRoute, (c) => {
    const location = foundLocation(registry, c.req.valid('param').id);
    checkConditions(c, location);
    deleteLocation(parts, location, {
      actor: actorOf(access, c),
      note: c.req.valid('query').note,
    });
    return c.body(null, 204);
  });
}
