import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { windowFunctions } from '@tidemark/core';
import type { ApiEnv, ApiParts } from '../parts.ts';
import { filterParameters, listParameter, rangeParameters, toFilter, toRange } from '../query.ts';
import { jsonContent, listSchema, problems, windowSchema } from '../schemas.ts';
import { textBody } from '../text-stream.ts';
import { defaultWindowRangeNs, toWindowOptions } from '../window-query.ts';
import { csvParts, jsonParts } from './window-text.ts';

const route = createRoute({
  method: 'get',
  path: '/api/v1/windows',
  tags: ['Windows'],
  summary: 'Windows of numeric metrics',
  description:
    'Aggregates of each window, aligned to the epoch (to midnight of `tz`), by metric, then the `by` tags, then ' +
    "time. Values have the metric's own unit, `count` and `distinct` none, `rate` the metric's unit per second. " +
    'Points outside `from`..`to` never count, so the windows at the ends may be partial. ' +
    'Answers CSV instead of JSON with `Accept: text/csv`.',
  request: {
    query: z.strictObject({
      ...filterParameters,
      ...rangeParameters('an hour before `to`', 'now'),
      every: z.string().optional().openapi({
        description:
          'Length of a window: `90s`, `5m`, `1h30m`, `1d`. Default: one that gives 500 windows at most.',
        example: '1m',
      }),
      fn: listParameter(`Functions: ${windowFunctions.join(', ')}, p1 to p99.9.`, ['mean', 'p95']).optional(),
      by: listParameter(
        'Tags to tell windows apart by: sensor, location. Metrics are always apart, with or without metric.',
        ['sensor'],
      ).optional(),
      fill: z.string().default('none').openapi({
        description: 'For windows without points: none, null, previous, linear, or a number.',
        example: 'null',
      }),
      tz: z.string().optional().openapi({
        description: 'IANA time zone that days start in. Default: UTC.',
        example: 'Europe/Madrid',
      }),
    }),
  },
  responses: {
    200: {
      description: 'Windows',
      content: {
        ...jsonContent(listSchema('WindowList', windowSchema)),
        'text/csv': {
          schema: z.string().openapi({
            example: 'time,metric,count,mean\r\n2026-05-01T12:00:00Z,temperature,60,21.4\r\n',
          }),
        },
      },
    },
    ...problems(400, 503),
  },
});

/** `GET /api/v1/windows`. */
export function windows(app: OpenAPIHono<ApiEnv>, { engine, clock }: ApiParts): void {
  app.openapi(route, async (c) => {
    const query = c.req.valid('query');
    const nowNs = clock.nowNs();
    const times = toRange(query, { nowNs, fromNs: (toNs) => toNs - defaultWindowRangeNs, toNs: nowNs });
    const { every, fn, by: names = [], fill, tz } = query;
    const options = toWindowOptions({ every, fn, by: names, fill, tz }, times);
    const { by, functions } = options;
    const found = await engine.windows({ ...toFilter(query), ...times, ...options });
    const isCsv = wantsCsv(c.req.header('accept'));
    const parts = isCsv ? csvParts(found, { by, functions }) : jsonParts(found, { by, functions });
    const contentType = isCsv ? 'text/csv; charset=utf-8' : 'application/json';
    return c.body(textBody(parts), 200, { 'content-type': contentType });
  });
}

/** True when CSV is named in Accept and JSON is not preferred to it. */
export function wantsCsv(accept: string | undefined): boolean {
  const weights = new Map<string, number>();
  for (const part of (accept ?? '').split(',')) {
    const [type = '', ...parameters] = part.split(';').map((piece) => piece.trim().toLowerCase());
    const q = parameters.find((parameter) => parameter.startsWith('q='));
    weights.set(type, q === undefined ? 1 : Number(q.slice(2)) || 0);
  }
  const csv = weights.get('text/csv') ?? weights.get('text/*') ?? 0;
  return csv > (weights.get('application/json') ?? 0);
}
