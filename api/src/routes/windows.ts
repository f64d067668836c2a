import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import {
  type Fill,
  NS_PER_DAY,
  NS_PER_SECOND,
  parseDuration,
  parseWindowFunction,
  type WindowFunction,
  type WindowTag,
  windowFunctions,
} from '@tidemark/core';
import type { ApiEnv, ApiParts } from '../parts.ts';
import { invalidFields } from '../problem.ts';
import { filterParameters, listParameter, rangeParameters, toFilter, toRange } from '../query.ts';
import { jsonContent, listSchema, problems, windowSchema } from '../schemas.ts';
import { textBody } from '../text-stream.ts';
import { csvPieces, jsonPieces } from './window-text.ts';

const defaultFunctions: WindowFunction[] = ['count', 'min', 'mean', 'max'];
const defaultRangeNs = 3600n * NS_PER_SECOND;
const mostDefaultWindows = 500n;
// Lengths that people read easily; the shortest that keeps to the number of windows is chosen.
const lengthsNs = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200]
  .map((seconds) => BigInt(seconds) * NS_PER_SECOND)
  .concat([1n, 2n, 7n, 14n, 28n, 91n, 364n, 3640n].map((days) => days * NS_PER_DAY));

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
    const times = toRange(query, { nowNs, fromNs: (toNs) => toNs - defaultRangeNs, toNs: nowNs });
    const functions = query.fn === undefined ? defaultFunctions : readFunctions(query.fn);
    const by = readTags(query.by ?? []);
    const found = await engine.windows({
      ...toFilter(query),
      ...times,
      everyNs: query.every === undefined ? defaultEveryNs(times) : readEvery(query.every),
      timeZone: query.tz === undefined ? undefined : readZone(query.tz),
      functions,
      by,
      fill: readFill(query.fill),
    });
    const isCsv = wantsCsv(c.req.header('accept'));
    const pieces = isCsv ? csvPieces(found, { by, functions }) : jsonPieces(found, { by, functions });
    const contentType = isCsv ? 'text/csv; charset=utf-8' : 'application/json';
    return c.body(textBody(pieces), 200, { 'content-type': contentType });
  });
}

/** The shortest readable length that cuts the range into at most 500 windows. */
function defaultEveryNs({ fromNs, toNs }: { fromNs: bigint; toNs: bigint }): bigint {
  const rangeNs = toNs - fromNs;
  return lengthsNs.find((lengthNs) => rangeNs <= lengthNs * mostDefaultWindows) ?? lengthsNs.at(-1)!;
}

function readEvery(text: string): bigint {
  const everyNs = parseDuration(text);
  if (everyNs !== undefined) return everyNs;
  throw invalidFields([{ path: 'every', message: 'is no duration; write 90s, 5m, 1h30m or 1d' }]);
}

function readFunctions(names: readonly string[]): WindowFunction[] {
  const known = names.map((name) => parseWindowFunction(name));
  const unknown = names.filter((_name, index) => known[index] === undefined);
  if (unknown.length > 0) {
    const choices = `${windowFunctions.join(', ')} or p1 to p99.9`;
    throw invalidFields([{ path: 'fn', message: `${JSON.stringify(unknown[0])} is none of ${choices}` }]);
  }
  return [...new Set(known.filter((fn) => fn !== undefined))];
}

function readTags(names: readonly string[]): WindowTag[] {
  const unknown = names.find((name) => name !== 'metric' && !isTag(name));
  if (unknown !== undefined) {
    throw invalidFields([
      { path: 'by', message: `${JSON.stringify(unknown)} is none of sensor, location and metric` },
    ]);
  }
  return [...new Set(names.filter(isTag))];
}

function isTag(name: string): name is WindowTag {
  return name === 'sensor' || name === 'location';
}

function readFill(text: string): Fill {
  if (text === 'none' || text === 'null' || text === 'previous' || text === 'linear') return text;
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (Number.isFinite(value)) return value;
  throw invalidFields([{ path: 'fill', message: 'is none of none, null, previous, linear or a number' }]);
}

function readZone(name: string): string {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone;
  } catch {
    throw invalidFields([{ path: 'tz', message: `${JSON.stringify(name)} is no IANA time zone` }]);
  }
}

/** True when CSV is named in Accept and JSON is not preferred to it. */
function wantsCsv(accept: string | undefined): boolean {
  const weights = new Map<string, number>();
  for (const part of (accept ?? '').split(',')) {
    const [type = '', ...parameters] = part.split(';').map((piece) => piece.trim().toLowerCase());
    const q = parameters.find((parameter) => parameter.startsWith('q='));
    weights.set(type, q === undefined ? 1 : Number(q.slice(2)) || 0);
  }
  const csv = weights.get('text/csv') ?? weights.get('text/*') ?? 0;
  return csv > (weights.get('application/json') ?? 0);
}
