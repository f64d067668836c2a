import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { quarantineItemToJson, quarantineReasons, TidemarkError } from '@tidemark/core';
import { decodeCursor, encodeCursor } from '../cursor.ts';
import type { ApiEnv, ApiParts } from '../parts.ts';
import {
  cursorParameter,
  limitParameter,
  MAX_TIME_NS,
  MIN_TIME_NS,
  rangeParameters,
  toRange,
} from '../query.ts';
import { jsonContent, listOf, listSchema, problems, quarantineItemSchema } from '../schemas.ts';

const listRoute = createRoute({
  method: 'get',
  path: '/api/v1/quarantine',
  tags: ['Quarantine'],
  summary: 'What was refused, newest first',
  description:
    'Every message that claimed to be a reading and could not be stored, with its reason and bytes.',
  request: {
    query: z.strictObject({
      reason: z.enum(quarantineReasons).optional().openapi({ description: 'Only refusals for this reason.' }),
      sensor: z.string().optional().openapi({ description: 'Only refusals of this sensor.' }),
      ...rangeParameters('the oldest refusal', 'after the newest refusal'),
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

/** `GET /api/v1/quarantine`, `/{id}`. */
export function quarantine(app: OpenAPIHono<ApiEnv>, parts: ApiParts): void {
  app.openapi(listRoute, (c) => {
    const { reason, sensor, limit, cursor, ...query } = c.req.valid('query');
    const times = toRange(query, {
      nowNs: parts.clock.nowNs(),
      fromNs: () => MIN_TIME_NS,
      toNs: MAX_TIME_NS,
    });
    const before = cursor === undefined ? undefined : decodeCursor(cursor, 1)[0];
    const found = parts.quarantine.list({ reason, sensor, ...times, limit: limit + 1, before });
    const items = found.slice(0, limit);
    const last = items.at(-1);
    const next = found.length > limit && last ? encodeCursor(last.id) : null;
    return c.json({ ...listOf(items.map(quarantineItemToJson), next), total: parts.quarantine.count() }, 200);
  });

  app.openapi(oneRoute, (c) => {
    const item = parts.quarantine.get(c.req.valid('param').id);
    if (item === undefined) throw new TidemarkError('not_found', 'there is no such refusal');
    return c.json(quarantineItemToJson(item), 200);
  });
}
