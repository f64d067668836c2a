import { BIGINT, INTEGER, LIST, listValue } from '@duckdb/node-api';
import type { FieldType } from '@tidemark/core';
import type { Parameters } from './database.ts';
import {
  type ArrivalTable,
  isPartition,
  type Layout,
  type Partition,
  partitionsIn,
  tablesIn,
  timesOf,
  timesOfTable,
} from './layout.ts';
import { MAX_TIME_NS, MIN_TIME_NS, quote } from './schema.ts';
import type { Series, SeriesIndex } from './series.ts';

export interface SourceQuery {
  type: FieldType;
  /** Series of that type that are wanted; at least one. */
  wanted: readonly Series[];
  /** Inclusive. */
  fromNs: bigint;
  /** Exclusive. */
  toNs: bigint;
  /** Partitions that are left out; no late row is in their time. */
  except?: ReadonlyMap<Partition, unknown>;
  /** Only these times of these series. */
  points?: readonly SourcePoint[];
  /** Begins the names of the parameters, where a statement has several sources. */
  prefix?: string;
}

export interface SourcePoint {
  timeNs: bigint;
  series: readonly Series[];
}

/** A FROM clause that yields each wanted point once, as (series, time, value). Numbers stand in it in digits. */
export interface Source {
  sql: string;
  parameters: Parameters;
}

/** Up to this many ids stand in the condition of each table, where they let whole row groups be skipped. */
const MAX_IDS_IN_CONDITION = 64;
/** The same for stretches of ids. */
const MAX_RANGES_IN_CONDITION = 8;

/**
 * Builds the source of a query from the tables that may hold something in the range; undefined when none
 * does. Late rows replace rows of the same series and time, and of two late ones the last written counts.
 */
export function buildSource(layout: Layout, index: SeriesIndex, query: SourceQuery): Source | undefined {
  const { fromNs, lastNs } = storableRange(query);
  if (fromNs > lastNs) return undefined;
  const { hot, late, partitions } = layout.of(query.type);
  const read = partitionsIn(partitions, fromNs, lastNs).filter((one) => query.except?.has(one) !== true);
  const { points } = query;
  const isAsked = (table: ArrivalTable | Partition) => {
    const times = timesOfTable(table);
    return points?.some(({ timeNs }) => timeNs >= times.firstNs && timeNs <= times.lastNs) ?? true;
  };
  const base = [...read, ...tablesIn(hot, fromNs, lastNs)].filter(isAsked);
  const late_ = tablesIn(late, fromNs, lastNs).filter(isAsked);
  if (base.length === 0 && late_.length === 0) return undefined;
  const { join, condition, parameters } =
    points === undefined ? { join: '', ...wantedSeries(index, query) } : oneOf(points, query.prefix);
  const inRange = `time BETWEEN ${fromNs} AND ${lastNs}`;
  const whereOf: WhereOf = (table) =>
    `${join}WHERE ${isWithin(table, fromNs, lastNs) ? 'TRUE' : inRange}${condition}`;
  const sql = late_.length === 0 ? `(${rowsOf(base, whereOf)})` : withLate(base, late_, whereOf);
  return { sql, parameters };
}

/** The part of a range that times of 64 bits are in, both ends inclusive. */
export function storableRange({ fromNs, toNs }: { fromNs: bigint; toNs: bigint }): {
  fromNs: bigint;
  lastNs: bigint;
} {
  return {
    fromNs: fromNs < MIN_TIME_NS ? MIN_TIME_NS : fromNs,
    lastNs: toNs > MAX_TIME_NS ? MAX_TIME_NS : toNs - 1n,
  };
}

/**
 * A join with those points, with its parameters. DuckDB makes filters of its series and times, by which it skips whole
 * row groups; long lists in a condition would take it longer to plan, and to compare each row with.
 */
function oneOf(
  points: readonly SourcePoint[],
  prefix = '',
): { join: string; condition: string; parameters: Parameters } {
  const series = points.flatMap((point) => point.series.map(({ id }) => id));
  const times = points.flatMap((point) => point.series.map(() => point.timeNs));
  return {
    join: `SEMI JOIN (SELECT unnest($${prefix}ids) AS series, unnest($${prefix}times) AS time) AS asked USING (series, time) `,
    condition: '',
    parameters: {
      [`${prefix}ids`]: [listValue(series), LIST(INTEGER)],
      [`${prefix}times`]: [listValue(times), LIST(BIGINT)],
    },
  };
}

type WhereOf = (table: ArrivalTable | Partition) => string;

/** True for a partition whose days are in the range as a whole: to compare each time would be for nothing. */
function isWithin(table: ArrivalTable | Partition, fromNs: bigint, lastNs: bigint): boolean {
  if (!isPartition(table)) return false;
  const times = timesOf(table);
  return times.firstNs >= fromNs && times.lastNs <= lastNs;
}

function rowsOf(tables: readonly (ArrivalTable | Partition)[], whereOf: WhereOf): string {
  return tables
    .map((table) => `SELECT series, time, value FROM ${quote(table.name)} ${whereOf(table)}`)
    .join(' UNION ALL ');
}

function withLate(
  base: readonly (ArrivalTable | Partition)[],
  late: readonly ArrivalTable[],
  whereOf: WhereOf,
): string {
  const arrivals = late.map((table) => {
    const { name, generation, minNs, maxNs } = table;
    // A row that comes later than this look at the tables may be in the time of a table that is taken to have none.
    return `SELECT series, time, value, ${arrivalOrder(generation)} AS arrival FROM ${quote(name)}
      ${whereOf(table)} AND time BETWEEN ${minNs} AND ${maxNs}`;
  });
  const newest = `late AS (
    SELECT series, time, arg_max(value, arrival) AS value FROM (${arrivals.join(' UNION ALL ')}) GROUP BY ALL
  )`;
  // Looking each row up among the late ones costs more than reading it.
  const touched = base.filter((table) => {
    const { firstNs, lastNs } = timesOfTable(table);
    return tablesIn(late, firstNs, lastNs).length > 0;
  });
  const others = base.filter((table) => !touched.includes(table));
  const rows = [
    ...(others.length === 0 ? [] : [rowsOf(others, whereOf)]),
    ...(touched.length === 0
      ? []
      : [
          `SELECT series, time, value FROM (${rowsOf(touched, whereOf)}) ANTI JOIN late USING (series, time)`,
        ]),
    'SELECT series, time, value FROM late',
  ];
  return `(WITH ${newest} ${rows.join(' UNION ALL ')})`;
}

/** SQL that grows with each row written to the late tables; generations are far apart. */
export function arrivalOrder(generation: number): string {
  return `rowid + ${BigInt(generation) << 40n}`;
}

/** The end of a condition that rows are of a wanted series, with its parameters. */
export function wantedSeries(
  index: SeriesIndex,
  { type, wanted, prefix = '' }: SourceQuery,
): { condition: string; parameters: Parameters } {
  if (wanted.length === index.countOf(type)) return { condition: '', parameters: {} };
  const ids = wanted.map(({ id }) => id);
  if (ids.length <= MAX_IDS_IN_CONDITION) {
    return { condition: ` AND series IN (${ids.join(', ')})`, parameters: {} };
  }
  const ranges = idRanges(index, type, ids);
  if (ranges.length <= MAX_RANGES_IN_CONDITION) {
    const tests = ranges.map(([first, last]) => `series BETWEEN ${first} AND ${last}`);
    return { condition: ` AND (${tests.join(' OR ')})`, parameters: {} };
  }
  return {
    condition: ` AND series IN (SELECT unnest($${prefix}series))`,
    parameters: { [`${prefix}series`]: [listValue(ids), LIST(INTEGER)] },
  };
}

/** Stretches of ids between which there is no other series of the type; more than may stand in a condition are cut short. */
function idRanges(index: SeriesIndex, type: FieldType, ids: readonly number[]): [number, number][] {
  const ranges: [number, number][] = [];
  for (const id of ids.toSorted((a, b) => a - b)) {
    const range = ranges.at(-1);
    if (range !== undefined && !index.isAnyBetween(range[1], id, type)) range[1] = id;
    else if (ranges.push([id, id]) > MAX_RANGES_IN_CONDITION) break;
  }
  return ranges;
}
