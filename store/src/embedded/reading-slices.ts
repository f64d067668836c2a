import type { FieldType, Reading } from '@tidemark/core';
import type { ReadingsQuery } from '../engine.ts';
import { earliestNs, timesOfTable } from './layout.ts';
import type { Reader } from './reader.ts';
import type { Series } from './series.ts';

/** A stretch of time, its end exclusive. */
export interface Slice {
  fromNs: bigint;
  toNs: bigint;
}

const MAX_FIRST_SLICE_NS = 3_600_000_000_000n;
const MIN_FIRST_SLICE_NS = 1000n;
/** Where one was not enough, the data is less dense than its tables: each slice is a query, and a long one is no dear one. */
const SLICE_GROWTH = 64n;
/** A slice that is somewhat too long is cheaper than a second one. */
const SLICE_SPARE = 4;
/** From so many rows on, sorting those of a slice that is far too long costs more than counting them before. */
const MANY_ROWS = 1000;
/** Parts of a slice that rows are counted in. */
const PARTS = 1000n;

/**
 * Slices of the range, from the end where the answer begins, each so long that it is likely to reach the limit, and no
 * longer than it takes. `found` has the readings of those before.
 */
export async function* slicesOf(
  reader: Reader,
  byType: ReadonlyMap<FieldType, readonly Series[]>,
  query: ReadingsQuery,
  found: readonly Reading[],
): AsyncGenerator<Slice> {
  const { order } = query;
  const wanted = [...byType.values()].flat();
  let { fromNs, toNs } = rangeOf(reader, wanted, query);
  let lengthNs = firstLengthNs(reader, wanted, query, order === 'asc' ? fromNs : toNs - 1n);
  for (let isFirst = true; fromNs < toNs; isFirst = false) {
    const guessed =
      order === 'asc'
        ? { fromNs, toNs: smaller(fromNs + lengthNs, toNs) }
        : { fromNs: larger(toNs - lengthNs, fromNs), toNs };
    const missing = query.limit - found.length;
    const isSmall = isFirst && rowsWanted(wanted, missing) < MANY_ROWS;
    const slice = isSmall ? guessed : await cut(reader, byType, guessed, { order, missing });
    yield slice;
    if (order === 'asc') fromNs = slice.toNs;
    else toNs = slice.fromNs;
    lengthNs *= SLICE_GROWTH;
  }
}

/**
 * How many rows so many readings can consist of: each has at most as many as its sensor has series, and at the two
 * times where the order between sensors matters (the last one, and that of `after`) each series has at most one row.
 */
export function rowsWanted(series: readonly Series[], readings: number): number {
  return readings * mostPerSensor(series) + 2 * series.length;
}

export function larger(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

function smaller(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

/** What there is of the range that is asked for. */
function rangeOf(reader: Reader, wanted: readonly Series[], query: ReadingsQuery): Slice {
  const { order, after } = query;
  const firstNs = larger(earliestNs(reader.layout), reader.beginnings.of(query));
  const endNs = wanted.reduce((end, { lastTimeNs }) => (lastTimeNs >= end ? lastTimeNs + 1n : end), firstNs);
  let fromNs = larger(query.fromNs, firstNs);
  let toNs = smaller(query.toNs, endNs);
  if (after !== undefined && order === 'asc') fromNs = larger(fromNs, after.timeNs);
  if (after !== undefined && order === 'desc') toNs = smaller(toNs, after.timeNs + 1n);
  return { fromNs, toNs };
}

/** A length that the limit is likely to be reached in, by how dense the tables are where the answer begins. */
function firstLengthNs(
  { layout, series }: Reader,
  wanted: readonly Series[],
  { limit }: ReadingsQuery,
  startNs: bigint,
): bigint {
  let rowsPerNs = 0;
  for (const { hot, late, partitions } of layout.types.values()) {
    for (const table of [...hot, ...late, ...partitions]) {
      const { firstNs, lastNs } = timesOfTable(table);
      if (startNs < firstNs || startNs > lastNs) continue;
      rowsPerNs += table.rows / Number(lastNs - firstNs + 1n);
    }
  }
  const rows = SLICE_SPARE * limit * mostPerSensor(wanted);
  const lengthNs = rows / ((rowsPerNs * wanted.length) / series.size);
  if (!(lengthNs < Number(MAX_FIRST_SLICE_NS))) return MAX_FIRST_SLICE_NS;
  return larger(BigInt(Math.ceil(lengthNs)), MIN_FIRST_SLICE_NS);
}

/**
 * The part of a slice, from where the answer begins, that it takes to have so many readings. It is counted, since bursts
 * make any guess wrong.
 */
async function cut(
  reader: Reader,
  byType: ReadonlyMap<FieldType, readonly Series[]>,
  slice: Slice,
  { order, missing }: { order: 'asc' | 'desc'; missing: number },
): Promise<Slice> {
  const partNs = (slice.toNs - slice.fromNs) / PARTS + 1n;
  const wantedRows = rowsWanted([...byType.values()].flat(), missing);
  const counts = await countParts(reader, byType, slice, { order, partNs });
  let rows = 0;
  const last = counts.findIndex((count) => {
    rows += count;
    return rows >= wantedRows;
  });
  if (last === -1) return slice;
  const lengthNs = BigInt(last + 1) * partNs;
  const shorter =
    order === 'asc'
      ? { fromNs: slice.fromNs, toNs: smaller(slice.fromNs + lengthNs, slice.toNs) }
      : { fromNs: larger(slice.toNs - lengthNs, slice.fromNs), toNs: slice.toNs };
  const isFar = rows > wantedRows * 2 * SLICE_SPARE && last < counts.length - 1;
  return isFar ? cut(reader, byType, shorter, { order, missing }) : shorter;
}

/** How many rows there are in each part of a slice, from where the answer begins. */
async function countParts(
  reader: Reader,
  byType: ReadonlyMap<FieldType, readonly Series[]>,
  { fromNs, toNs }: Slice,
  { order, partNs }: { order: 'asc' | 'desc'; partNs: bigint },
): Promise<number[]> {
  const counts = new Array<number>(Number(PARTS)).fill(0);
  const distance = order === 'asc' ? `time - ${fromNs}` : `${toNs - 1n} - time`;
  for (const [type, series] of byType) {
    if (series.length === 0) continue;
    await reader.read(
      { type, wanted: series, fromNs, toNs },
      ({ sql }) => ({
        sql: `SELECT ((${distance}) // ${partNs})::USMALLINT AS part, count(*)::INTEGER FROM ${sql} GROUP BY part`,
      }),
      ([parts = [], rows = []]) => {
        parts.forEach((part, index) => {
          counts[part as number]! += rows[index] as number;
        });
      },
    );
  }
  return counts;
}

function mostPerSensor(series: readonly Series[]): number {
  const counts = new Map<string, number>();
  let most = 0;
  for (const { tagSet } of series) {
    const count = (counts.get(tagSet.sensor) ?? 0) + 1;
    counts.set(tagSet.sensor, count);
    if (count > most) most = count;
  }
  return most;
}
