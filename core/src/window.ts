/**
 * The named functions of a window; percentiles are written `p1` to `p99.9` besides.
 * stddev is the sample's (n − 1); percentiles are nearest rank, as in InfluxQL; median is the mean of the
 * middle two; spread is max − min; rate is (last − first) / seconds between them; distinct counts values.
 */
export const windowFunctions = [
  'count',
  'sum',
  'min',
  'max',
  'mean',
  'median',
  'stddev',
  'spread',
  'first',
  'last',
  'rate',
  'distinct',
] as const;

export type WindowFunction = (typeof windowFunctions)[number] | `p${number}`;

/** What stands in windows that hold no point: no row, null, the last value, a line between, or a number. */
export type Fill = 'none' | 'null' | 'previous' | 'linear' | number;

/** Tags that windows can be told apart by. */
export type WindowTag = 'sensor' | 'location';

/** One window's results. `timeNs` is its start; a function without a value there is null. */
export interface Window {
  timeNs: bigint;
  metric: string;
  sensor?: string;
  /** Null where the sensor has no location. */
  location?: string | null;
  values: ReadonlyMap<WindowFunction, number | null>;
}

/** The function a user's text names, or undefined. */
export function parseWindowFunction(text: string): WindowFunction | undefined {
  const named = windowFunctions.find((name) => name === text);
  if (named !== undefined) return named;
  const percentile = /^p(\d{1,2}(?:\.\d{1,3})?)$/.exec(text);
  const rank = Number(percentile?.[1]);
  return rank >= 1 && rank <= 99.9 ? `p${rank}` : undefined;
}

/** The percentile (1 to 99.9) of a function `pN`, undefined for the named ones. */
export function percentileOf(fn: WindowFunction): number | undefined {
  return /^p[\d.]+$/.test(fn) ? Number(fn.slice(1)) : undefined;
}
