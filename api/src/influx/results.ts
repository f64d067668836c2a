import { floorDivide, formatTime, NS_PER_MS, NS_PER_SECOND, zoneOffsets } from '@tidemark/core';
import type { QuerySeries, QueryValue } from '@tidemark/store';

/** What a statement is answered with: series, or why there are none. */
export interface Result {
  statement: number;
  series: readonly QuerySeries[];
  error?: string;
}

export function countRows(results: readonly Pick<Result, 'series'>[]): number {
  return results.reduce(
    (sum, { series }) => series.reduce((rows, { values }) => rows + values.length, sum),
    0,
  );
}

/** A stretch of a series' rows: as many as `count` of those that are next. */
export interface Piece {
  series: QuerySeries;
  rows: Iterator<readonly QueryValue[]>;
  count: number;
  /** True when more rows of the series follow in another piece. */
  isPartial: boolean;
}

const epochUnitsNs: Record<string, bigint> = {
  u: 1000n,
  ms: NS_PER_MS,
  s: NS_PER_SECOND,
  m: 60n * NS_PER_SECOND,
  h: 3600n * NS_PER_SECOND,
};

/** A series cut into pieces of so many rows; each is to be read before the next one. */
export function* piecesOf(series: QuerySeries, mostRows: number): Generator<Piece> {
  const rows = series.values[Symbol.iterator]();
  let left = series.values.length;
  do {
    const count = Math.min(mostRows, left);
    left -= count;
    yield { series, rows, count, isPartial: left > 0 };
  } while (left > 0);
}

/** How the times of a series are told: as RFC 3339 in its zone, or as a number in the unit asked for. */
export function timeTeller(
  epoch: string | undefined,
  timeZone: string | undefined,
): (timeNs: bigint) => string | bigint {
  if (epoch !== undefined) {
    const unitNs = epochUnitsNs[epoch] ?? 1n;
    // As InfluxDB, towards zero.
    return (timeNs) => timeNs / unitNs;
  }
  if (timeZone === undefined) return formatTime;
  const offsetAt = zoneOffsets(timeZone);
  return (timeNs) => {
    const offsetNs = offsetAt(timeNs);
    const local = formatTime(timeNs + offsetNs);
    return offsetNs === 0n ? local : `${local.slice(0, -1)}${formatOffset(offsetNs)}`;
  };
}

function formatOffset(offsetNs: bigint): string {
  const minutes = Number(floorDivide(offsetNs, 60n * NS_PER_SECOND));
  const size = Math.abs(minutes);
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${minutes < 0 ? '-' : '+'}${two(Math.floor(size / 60))}:${two(size % 60)}`;
}

/** A value as JSON; integers keep all their digits. */
export function valueJson(value: QueryValue): string {
  if (typeof value === 'bigint') return String(value);
  // The same text, in less time.
  return typeof value === 'number' && Number.isFinite(value) ? String(value) : JSON.stringify(value);
}
