import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { formatTime, NS_PER_DAY, type QualityCheck, type QualityCount, qualityChecks } from '@tidemark/core';
import { decodeCursor, encodeCursor } from '../cursor.ts';
import type { ApiEnv, ApiParts } from '../parts.ts';
import { cursorParameter, limitParameter, listParameter, rangeParameters, toRange } from '../query.ts';
import { jsonContent, listOf, listSchema, problems, qualityCountSchema } from '../schemas.ts';

const isCheck = (name: string): name is QualityCheck => qualityChecks.some((check) => check === name);

const route = createRoute({
  method: 'get',
  path: '/api/v1/quality',
  tags: ['Quality'],
  summary: 'Failed checks, counted by sensor and check',
  description: `By sensor, then check. Counts are kept by minute: \`from\` is rounded down to one. A reading that fails a
check is stored all the same.`,
  request: {
    query: z.strictObject({
      sensor: listParameter('Only these sensors.', ['greenhouse-1']).optional(),
      check: listParameter('Only these checks.', ['range', 'clock'])
        .refine((names) => names.every(isCheck), {
          error: `holds no check; the checks are ${qualityChecks.join(', ')}`,
        })
        .openapi({ type: 'array', items: { type: 'string', enum: [...qualityChecks] } })
        .optional(),
      ...rangeParameters('24 hours before `to`', 'now'),
      limit: limitParameter(10_000, 1000),
      cursor: cursorParameter,
    }),
  },
  responses: {
    200: { description: 'Counts', content: jsonContent(listSchema('QualityList', qualityCountSchema)) },
    ...problems(400),
  },
});

/** `GET /api/v1/quality`. */
export function quality(app: OpenAPIHono<ApiEnv>, parts: ApiParts): void {
  app.openapi(route, async (c) => {
    const { sensor, check, limit, cursor, ...query } = c.req.valid('query');
    const nowNs = parts.clock.nowNs();
    const range = toRange(query, { nowNs, fromNs: (toNs) => toNs - NS_PER_DAY, toNs: nowNs + 1n });
    const [afterSensor, afterCheck] = cursor === undefined ? [] : decodeCursor(cursor, 2);
    const found = await parts.quality.counts({
      sensors: sensor,
      checks: check?.filter(isCheck),
      ...range,
      limit: limit + 1,
      after: afterCheck === undefined ? undefined : { sensor: afterSensor!, check: afterCheck },
    });
    const items = found.slice(0, limit);
    const last = items.at(-1);
    const next = found.length > limit && last ? encodeCursor(last.sensor, last.check) : null;
    return c.json(listOf(items.map(toJson), next), 200);
  });
}

function toJson({ sensor, check, count, firstNs, lastNs }: QualityCount) {
  return { sensor, check, count, first: formatTime(firstNs), last: formatTime(lastNs) };
}
