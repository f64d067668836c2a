import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { type QuarantinePlace, quarantineItemToJson, TidemarkError } from '@tidemark/core';
import { encodeCursor } from '../cursor.ts';
import type { ApiEnv, ApiParts } from '../parts.ts';
import { cursorParameter, limitParameter } from '../query.ts';
import {
  jsonContent,
  listOf,
  listSchema,
  problems,
  quarantineItemSchema,
  quarantineSummarySchema,
} from '../schemas.ts';
import {
  decodeNumbers,
  quarantineFilterParameters,
  quarantineNameParameters,
  toQuarantineFilter,
} from './quarantine-filter.ts';

const listRoute = createRoute({
  method: 'get',
  path: '/api/v1/quarantine',
  tags: ['Quarantine'],
  summary: 'What was refused, newest first',
  description:
    'Every message that claimed to be a reading and could not be stored, with its reason and bytes.',
  request: {
    query: z.strictObject({
      ...quarantineFilterParameters,
      limit: limitParameter(1000, 100),
      cursor: cursorParameter,
    }),
  },
  responses: {
    200: {
      description: 'Refusals',
      content: jsonContent(
        listSchema('QuarantineList', quarantineItemSchema).extend({
          total: z.number().int().openapi({ description: 'All that the quarantine holds, unfiltered.' }),
        }),
      ),
    },
    ...problems(400),
  },
});

const summaryRoute = createRoute({
  method: 'get',
  path: '/api/v1/quarantine/summary',
  tags: ['Quarantine'],
  summary: 'How much was refused, by reason, source and sensor',
  request: { query: z.strictObject(quarantineNameParameters) },
  responses: {
    200: { description: 'Counts, largest first', content: jsonContent(quarantineSummarySchema) },
    ...problems(400),
  },
});

const oneRoute = createRoute({
  method: 'get',
  path: '/api/v1/quarantine/{id}',
  tags: ['Quarantine'],
  summary: 'One refusal',
  request: { params: z.object({ id: z.string().openapi({ example: '42' }) }), query: z.strictObject({}) },
  responses: {
    200: { description: 'The refusal', content: jsonContent(quarantineItemSchema) },
    ...problems(400, 404),
  },
});

/** `GET /api/v1/quarantine`, `/summary`, `/{id}`. */
export function quarantine(app: OpenAPIHono<ApiEnv>, parts: ApiParts): void {
  app.openapi(listRoute, (c) => {
    const { limit, cursor, ...query } = c.req.valid('query');
    const filter = toQuarantineFilter(query, parts.clock);
    const before = cursor === undefined ? undefined : placeOf(cursor);
    const found = parts.quarantine.list({ ...filter, limit: limit + 1, before });
    const items = found.slice(0, limit);
    const last = items.at(-1);
    const next = found.length > limit && last ? encodeCursor(last.timeNs, last.id) : null;
    return c.json({ ...listOf(items.map(quarantineItemToJson), next), total: parts.quarantine.count() }, 200);
  });

  app.openapi(summaryRoute, (c) => {
    return c.json(parts.quarantine.summary(c.req.valid('query')), 200);
  });

  app.openapi(oneRoute, (c) => {
    const item = parts.quarantine.get(c.req.valid('param').id);
    if (item === undefined) throw new TidemarkError('not_found', 'there is no such refusal');
    return c.json(quarantineItemToJson(item), 200);
  });
}

function placeOf(cursor: string): QuarantinePlace {
  const [timeNs, id] = decodeNumbers(cursor, 2);
  return { timeNs: BigInt(timeNs!), id: id! };
}
