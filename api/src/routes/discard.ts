import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { TidemarkError } from '@tidemark/core';
import { actorOf } from '../middleware/access.ts';
import type { ApiEnv, ApiParts } from '../parts.ts';
import { allParameter, noteParameter } from '../query.ts';
import { jsonContent, problems } from '../schemas.ts';
import { quarantineFilterParameters, toQuarantineFilter } from './quarantine-filter.ts';

const discardedSchema = z
  .object({ discarded: z.number().int().openapi({ description: 'Items that are gone.', example: 12 }) })
  .openapi('Discarded');

const oneRoute = createRoute({
  method: 'delete',
  path: '/api/v1/quarantine/{id}',
  tags: ['Quarantine'],
  summary: 'Discard one refusal for good',
  request: {
    params: z.object({ id: z.string().openapi({ example: '42' }) }),
    query: z.strictObject({ note: noteParameter }),
  },
  responses: {
    200: { description: 'It is gone, and the audit log says so.', content: jsonContent(discardedSchema) },
    ...problems(400, 404),
  },
});

const allRoute = createRoute({
  method: 'delete',
  path: '/api/v1/quarantine',
  tags: ['Quarantine'],
  summary: 'Discard all refusals that match for good',
  request: {
    query: z.strictObject({
      ...quarantineFilterParameters,
      all: allParameter,
      note: noteParameter,
    }),
  },
  responses: {
    200: { description: 'They are gone, and the audit log says so.', content: jsonContent(discardedSchema) },
    ...problems(400),
  },
});

/** `DELETE /api/v1/quarantine/{id}`, `/api/v1/quarantine`. */
export function discard(app: OpenAPIHono<ApiEnv>, parts: ApiParts): void {
  app.openapi(oneRoute, (c) => {
    const cause = { actor: actorOf(parts.access, c), note: c.req.valid('query').note };
    const isGone = parts.desk.discard(c.req.valid('param').id, cause);
    if (!isGone) throw new TidemarkError('not_found', 'there is no such refusal');
    return c.json({ discarded: 1 }, 200);
  });

  app.openapi(allRoute, async (c) => {
    const { note, all, ...query } = c.req.valid('query');
    const filter = toQuarantineFilter(query, parts.clock);
    const isFiltered = Object.values(filter).some((value) => value !== undefined);
    if (!isFiltered && all === undefined) {
      throw new TidemarkError('bad_request', 'name a filter, or all=true to discard everything');
    }
    const discarded = await parts.desk.discardAll(filter, { actor: actorOf(parts.access, c), note });
    return c.json({ discarded }, 200);
  });
}
