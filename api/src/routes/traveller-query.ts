import { z } from '@hono/zod-openapi';
import { type Config, idProblem, NS_PER_MS, parseDuration } from '@tidemark/core';
import type { TravellersQuery, TravellerWindowsQuery } from '@tidemark/store';
import { invalidFields } from '../problem.ts';
import { filterParameters, listParameter, rangeParameters, toRange } from '../query.ts';
import { defaultWindowRangeNs } from '../window-query.ts';

const times = rangeParameters('an hour before `to`', 'now');

/** Which travellers: what is left out means all. */
export const travellerParameters = {
  sensor: filterParameters.sensor,
  type: listParameter('Only these types of travellers.', ['cyclist'])
    .refine((types) => types.every((type) => idProblem(type) === undefined), { error: 'holds no valid name' })
    .optional(),
  ...times,
};

export const travellerWindowParameters = {
  ...travellerParameters,
  every: z.string().default('1m').openapi({
    description: 'From the start of one window to that of the next: `30s`, `1m`, `1h`.',
    example: '1m',
  }),
  window: z.string().optional().openapi({
    description: 'Length of a window. Default: that of `every`, so that one ends where the next begins.',
    example: '5m',
  }),
};

type TravellersWords = z.infer<z.ZodObject<typeof travellerParameters>>;
type WindowWords = z.infer<z.ZodObject<typeof travellerWindowParameters>>;

/** Throws `bad_request` that names the parameter at fault. */
export function toTravellersQuery(
  { sensor, type, ...range }: TravellersWords,
  nowNs: bigint,
): TravellersQuery {
  const { fromNs, toNs } = toRange(range, {
    nowNs,
    fromNs: (toNs) => toNs - defaultWindowRangeNs,
    toNs: nowNs,
  });
  // Nothing is accepted from before 1970.
  return { sensors: sensor, types: type, fromNs: fromNs < 0n ? 0n : fromNs, toNs: toNs < 0n ? 0n : toNs };
}

export function toTravellerWindowsQuery(
  { every, window = every, ...words }: WindowWords,
  { config, nowNs }: { config: Config; nowNs: bigint },
): TravellerWindowsQuery {
  const everyNs = readDuration('every', every);
  const lengthNs = readDuration('window', window);
  const gapNs = BigInt(config.travellers.stayGapMs) * NS_PER_MS;
  return { ...toTravellersQuery(words, nowNs), everyNs, lengthNs, gapNs };
}

function readDuration(path: 'every' | 'window', text: string): bigint {
  const durationNs = parseDuration(text);
  if (durationNs !== undefined) return durationNs;
  throw invalidFields([{ path, message: 'is no duration; write 30s, 1m, 1h30m or 1d' }]);
}
