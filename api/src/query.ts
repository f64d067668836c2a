import { z } from '@hono/zod-openapi';
import { idProblem, parseTimeParameter } from '@tidemark/core';
import type { ReadingFilter } from '@tidemark/store';
import { invalidFields } from './problem.ts';

/** The times a 64-bit count of nanoseconds can hold on both stores; queries beyond mean "everything". */
export const MIN_TIME_NS = -9_223_372_036_854_775_806n;
export const MAX_TIME_NS = 9_223_372_036_854_775_806n;

/** A list parameter: repeated, or separated by commas (`\,` is a comma inside a name). */
export function listParameter(description: string, example: string[]) {
  return z
    .union([z.string(), z.array(z.string())])
    .transform((value) => [value].flat().flatMap(splitList))
    .openapi({
      type: 'array',
      items: { type: 'string' },
      description: `${description} Repeat it or separate by commas; write \`\\,\` for a comma inside a name.`,
      example,
      param: { style: 'form', explode: true },
    });
}

function idsParameter(description: string, example: string[]) {
  return listParameter(description, example)
    .refine((ids) => ids.every((id) => idProblem(id) === undefined), {
      error: (issue) => `holds a name that ${faultOf(issue.input)}`,
    })
    .openapi({ type: 'array', items: { type: 'string' } })
    .optional();
}

/** Which readings: an absent list means all. */
export const filterParameters = {
  sensor: idsParameter('Only these sensors.', ['greenhouse-1']),
  location: idsParameter('Only sensors at these locations.', ['north-hall']),
  metric: idsParameter('Only these metrics.', ['temperature']),
};

const timeText =
  'RFC 3339, `YYYY-MM-DD hh:mm:ss` (UTC), an integer of s, ms, µs or ns by its size, or `now-1h`.';

/** `from` and `to`; what they default to depends on the route, so it is said in `fromDefault` and `toDefault`. */
export function rangeParameters(fromDefault: string, toDefault: string) {
  return {
    from: z
      .string()
      .optional()
      .openapi({ description: `Inclusive start: ${timeText} Default: ${fromDefault}.`, example: 'now-1h' }),
    to: z
      .string()
      .optional()
      .openapi({ description: `Exclusive end: ${timeText} Default: ${toDefault}.`, example: 'now' }),
  };
}

/** `limit`, from 1 to `max`. */
export function limitParameter(max: number, fallback: number) {
  const error = `must be a whole number from 1 to ${max}`;
  return z.coerce
    .number({ error })
    .int({ error })
    .min(1, { error })
    .max(max, { error })
    .default(fallback)
    .openapi({ description: 'Most items on a page.', example: fallback });
}

/** To be named where nothing else says which: without a filter everything is discarded. */
export const allParameter = z
  .literal('true')
  .optional()
  .openapi({ description: 'Needed where no filter is named: everything goes then.' });

export const noteParameter = z
  .string()
  .max(1000)
  .optional()
  .openapi({ description: 'Why, for the audit log.', example: 'test messages of the new gateway' });

export const cursorParameter = z
  .string()
  .optional()
  .openapi({ description: "The `next` of the page before; ask with the same parameters as that page's." });

interface FilterQuery {
  sensor?: string[] | undefined;
  location?: string[] | undefined;
  metric?: string[] | undefined;
}

export function toFilter({ sensor, location, metric }: FilterQuery): ReadingFilter {
  return { sensors: sensor, locations: location, metrics: metric };
}

/** A range in nanoseconds, `to` exclusive; throws `bad_request` when it ends before it starts. */
export function toRange(
  query: { from?: string | undefined; to?: string | undefined },
  defaults: { nowNs: bigint; fromNs: (toNs: bigint) => bigint; toNs: bigint },
): { fromNs: bigint; toNs: bigint } {
  const toNs = query.to === undefined ? defaults.toNs : readTime('to', query.to, defaults.nowNs);
  const fromNs =
    query.from === undefined ? defaults.fromNs(toNs) : readTime('from', query.from, defaults.nowNs);
  if (fromNs >= toNs) throw invalidFields([{ path: 'from', message: 'must be before to' }]);
  return { fromNs, toNs };
}

/** The nearest time that both stores can hold. */
export function clampTime(timeNs: bigint): bigint {
  if (timeNs < MIN_TIME_NS) return MIN_TIME_NS;
  return timeNs > MAX_TIME_NS ? MAX_TIME_NS : timeNs;
}

function readTime(name: string, text: string, nowNs: bigint): bigint {
  return clampTime(parseTimeParameter(name, text, nowNs));
}

function splitList(text: string): string[] {
  return text.split(/(?<!\\),/).map((part) => part.trim().replaceAll('\\,', ','));
}

function faultOf(ids: unknown): string {
  const faults = Array.isArray(ids) ? ids.map((id) => idProblem(String(id))) : [];
  return faults.find((fault) => fault !== undefined) ?? 'is no id';
}
