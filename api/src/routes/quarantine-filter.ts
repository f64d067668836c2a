import { z } from '@hono/zod-openapi';
import { type Clock, type QuarantineFilter, quarantineReasons } from '@tidemark/core';
import { decodeCursor } from '../cursor.ts';
import { invalidFields } from '../problem.ts';
import { MAX_TIME_NS, MIN_TIME_NS, rangeParameters, toRange } from '../query.ts';

/** Which refusals, by what is counted; what is left out matches all. */
export const quarantineNameParameters = {
  reason: z.enum(quarantineReasons).optional().openapi({ description: 'Only refusals for this reason.' }),
  source: z.string().optional().openapi({
    description: 'Only what came by `mqtt` or `http`, or what the `store` refused.',
    example: 'mqtt',
  }),
  sensor: z.string().optional().openapi({ description: 'Only refusals of this sensor.' }),
};

/** Which refusals; what is left out matches all. */
export const quarantineFilterParameters = {
  ...quarantineNameParameters,
  topic: z
    .string()
    .optional()
    .openapi({ description: 'Only refusals of this topic.', example: 'sensors/greenhouse-1' }),
  ...rangeParameters('the oldest refusal', 'after the newest refusal'),
};

type FilterQuery = z.infer<z.ZodObject<typeof quarantineFilterParameters>>;

/** The filter that a query names; throws `bad_request` when its range ends before it starts. */
export function toQuarantineFilter(
  { reason, source, sensor, topic, from, to }: FilterQuery,
  clock: Clock,
): QuarantineFilter {
  const range = toRange({ from, to }, { nowNs: clock.nowNs(), fromNs: () => MIN_TIME_NS, toNs: MAX_TIME_NS });
  return {
    reason,
    source,
    sensor,
    topic,
    fromNs: from === undefined ? undefined : range.fromNs,
    toNs: to === undefined ? undefined : range.toNs,
  };
}

/** The `count` whole numbers of a cursor; throws `bad_request` when it is not one of ours. */
export function decodeNumbers(cursor: string, count: number): string[] {
  const parts = decodeCursor(cursor, count);
  if (parts.every((part) => /^-?\d{1,19}$/.test(part))) return parts;
  throw invalidFields([{ path: 'cursor', message: 'is not a cursor that a list answered with as next' }]);
}
