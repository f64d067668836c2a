import type { FieldType } from '@tidemark/core';
import { type ArrivalTable, isPartition, type Layout, type Partition, type Sums, timesOf } from './layout.ts';
import type { Series, SeriesIndex } from './series.ts';

/** Series differ in how often they have points: a little more than what is looked for is read at once. */
const MARGIN = 1.25;
/** The first stretch that is looked at. */
const LEAST_NS = 1e9;

export interface SpanQuery {
  layout: Layout;
  index: SeriesIndex;
  /** Whose points are looked for. */
  wanted: Iterable<Series>;
  points: number;
  /** The range, both ends inclusive. */
  firstNs: bigint;
  lastNs: bigint;
  /** Where one begins to look. */
  from: 'first' | 'last';
}

/**
 * How far into a range one has to look from one of its ends for so many points, in nanoseconds; as far as sizes and times of the tables
 * tell, in which each series is taken to have as many points as the others.
 */
export function spanOfPoints(query: SpanQuery): bigint {
  const { points, firstNs, lastNs, from } = query;
  const [first, last] = [Number(firstNs), Number(lastNs)];
  const tables = densitiesOf(query);
  const foundIn = (span: number): number => {
    const [start, end] = from === 'first' ? [first, first + span] : [last - span, last];
    let found = 0;
    for (const table of tables) {
      const shared = Math.min(end, table.last) - Math.max(start, table.first);
      if (shared > 0) found += shared * table.pointsPerNs;
    }
    return found;
  };
  const wanted = MARGIN * points;
  let [reached, before] = [0, 0];
  for (let span = LEAST_NS; before < last - first; span *= 2) {
    const found = foundIn(span);
    if (found >= wanted)
      return BigInt(Math.ceil(before + ((wanted - reached) / (found - reached)) * (span - before)));
    [reached, before] = [found, span];
  }
  return lastNs - firstNs + 1n;
}

interface Density {
  first: number;
  last: number;
  pointsPerNs: number;
}

/** Of what is wanted, in each table. */
function densitiesOf({ layout, index, wanted }: SpanQuery): Density[] {
  const counts = new Map<FieldType, number>();
  for (const { type } of wanted) counts.set(type, (counts.get(type) ?? 0) + 1);
  return [...counts].flatMap(([type, count]) => {
    const { hot, late, partitions } = layout.of(type);
    const all = index.countOf(type);
    return [...hot, ...late, ...partitions].flatMap((table) => {
      if (table.rows === 0) return [];
      const { minNs, maxNs, series } = extentOf(table, all);
      const [first, last] = [Number(minNs), Number(maxNs)];
      // They may be others than those in the table.
      const share = Math.min(count / series, 1);
      return [{ first, last, pointsPerNs: (share * table.rows) / Math.max(last - first, 1) }];
    });
  });
}

function extentOf(table: ArrivalTable | Partition, series: number): Omit<Sums, 'name' | 'generation'> {
  if (!isPartition(table)) return { ...table, series };
  if (table.sums !== undefined) return table.sums;
  const { firstNs, lastNs } = timesOf(table);
  return { minNs: firstNs, maxNs: lastNs, series };
}
