import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { idProblem, parseReadingId, type Reading, readingToJson, TidemarkError } from '@tidemark/core';
import { decodeCursor, encodeCursor } from '../cursor.ts';
import type { ApiEnv, ApiParts } from '../parts.ts';
import { invalidFields } from '../problem.ts';
import {
  cursorParameter,
  filterParameters,
  limitParameter,
  MAX_TIME_NS,
  MIN_TIME_NS,
  rangeParameters,
  toFilter,
  toRange,
} from '../query.ts';
import { ReadingLookup } from '../reading-lookup.ts';
import { jsonContent, listOf, listSchema, problems, type ReadingJson, readingSchema } from '../schemas.ts';

const range = rangeParameters('the oldest reading', 'after the newest reading');

const listRoute = createRoute({
  method: 'get',
  path: '/api/v1/readings',
  tags: ['Readings'],
  summary: 'List readings',
  description:
    'Readings by time, then sensor: `order=desc&limit=10` are the newest 10, `order=asc&limit=10` the oldest. ' +
    'Sees everything acknowledged before it; otherwise the header `Tidemark-Lag-Ms` says how far behind it is.',
  request: {
    query: z.strictObject({
      ...filterParameters,
      ...range,
      order: z
        .enum(['asc', 'desc'])
        .default('asc')
        .openapi({ description: '`asc`: oldest first; `desc`: newest first.' }),
      limit: limitParameter(10_000, 1000),
      cursor: cursorParameter,
    }),
  },
  responses: {
    200: { description: 'Readings', content: jsonContent(listSchema('ReadingList', readingSchema)) },
    ...problems(400, 503),
  },
});

const endRoutes = [
  { end: 'first', order: 'asc', summary: 'The oldest reading' },
  { end: 'last', order: 'desc', summary: 'The newest reading' },
] as const;

const oneRoute = createRoute({
  method: 'get',
  path: '/api/v1/readings/{id}',
  tags: ['Readings'],
  summary: 'One reading by its id',
  request: {
    params: z.object({ id: z.string().openapi({ example: 'greenhouse-1@1777636800250000000' }) }),
    query: z.strictObject({}),
  },
  responses: {
    200: { description: 'The reading', content: jsonContent(readingSchema) },
    ...problems(400, 404, 503),
  },
});

/** `GET /api/v1/readings`, `/first`, `/last`, `/{id}`. */
export function readings(app: OpenAPIHono<ApiEnv>, { engine, clock }: ApiParts): void {
  const lookup = new ReadingLookup({ engine });
  const toTimes = (query: { from?: string | undefined; to?: string | undefined }) =>
    toRange(query, { nowNs: clock.nowNs(), fromNs: () => MIN_TIME_NS, toNs: MAX_TIME_NS });

  app.openapi(listRoute, async (c) => {
    const { order, limit, cursor, ...query } = c.req.valid('query');
    const after = cursor === undefined ? undefined : readCursor(cursor);
    // One more than asked for tells whether there is a next page.
    const found = await engine.readings({
      ...toFilter(query),
      ...toTimes(query),
      order,
      limit: limit + 1,
      after,
    });
    const items = found.slice(0, limit);
    const last = items.at(-1);
    const next = found.length > limit && last ? encodeCursor(last.timeNs, last.sensor) : null;
    return c.json(listOf(items.map(toJson), next), 200);
  });

  for (const { end, order, summary } of endRoutes) {
    app.openapi(endRoute(end, summary), async (c) => {
      const query = c.req.valid('query');
      const [reading] = await engine.readings({ ...toFilter(query), ...toTimes(query), order, limit: 1 });
      return c.json(toJson(existing(reading)), 200);
    });
  }

  app.openapi(oneRoute, async (c) => {
    const reading = await lookup.find(readId(c.req.valid('param').id));
    return c.json(toJson(existing(reading)), 200);
  });
}

function existing(reading: Reading | undefined): Reading {
  if (reading === undefined) throw new TidemarkError('not_found', 'there is no such reading');
  return reading;
}

function endRoute(end: 'first' | 'last', summary: string) {
  return createRoute({
    method: 'get',
    path: `/api/v1/readings/${end}`,
    tags: ['Readings'],
    summary,
    request: { query: z.strictObject({ ...filterParameters, ...range }) },
    responses: {
      200: { description: 'The reading', content: jsonContent(readingSchema) },
      ...problems(400, 404, 503),
    },
  });
}

function readId(id: string): { sensor: string; timeNs: bigint } {
  const parts = parseReadingId(id);
  if (parts === undefined || idProblem(parts.sensor) !== undefined) {
    throw invalidFields([{ path: 'id', message: 'must be <sensor>@<time in ns>' }]);
  }
  if (parts.timeNs < MIN_TIME_NS || parts.timeNs >= MAX_TIME_NS) {
    throw new TidemarkError('not_found', 'there is no such reading');
  }
  return parts;
}

function readCursor(cursor: string): { timeNs: bigint; sensor: string } {
  const [time, sensor] = decodeCursor(cursor, 2) as [string, string];
  const parts = parseReadingId(`${sensor}@${time}`);
  if (parts === undefined) throw invalidFields([{ path: 'cursor', message: 'is not one of this list' }]);
  return parts;
}

function toJson(reading: Reading): ReadingJson {
  return readingToJson(reading) as ReadingJson;
}
