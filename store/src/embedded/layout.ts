import { type FieldType, fieldTypes, NS_PER_DAY } from '@tidemark/core';
import { MAX_TIME_NS, MIN_TIME_NS, type TableKind } from './schema.ts';

/** A table of points in arrival order. */
export interface ArrivalTable {
  readonly name: string;
  readonly generation: number;
  rows: number;
  /** Least and greatest time in it; min > max while it is empty. */
  minNs: bigint;
  maxNs: bigint;
}

/** A table of points of a range of days: runs, each sorted by series and time, without duplicates. */
export interface Partition {
  readonly name: string;
  readonly generation: number;
  readonly startDay: number;
  readonly widthDays: number;
  rows: number;
  /** Rows of the first run, the rest came later. */
  sortedRows: number;
  runs: number;
  /** Undefined where none are kept. */
  sums: Sums | undefined;
}

/** A table of what each series of a partition adds up to. */
export interface Sums {
  readonly name: string;
  readonly generation: number;
  /** Least and greatest time among the points; min > max where there are none. */
  minNs: bigint;
  maxNs: bigint;
  /** How many series there are points of. */
  series: number;
}

/** Tables of one type's points. Of hot and late ones the last is written to, those before are sealed. */
export interface TypeLayout {
  hot: ArrivalTable[];
  late: ArrivalTable[];
  partitions: Partition[];
}

/** What the catalog table says of one table of points. */
export interface CatalogRow extends Partition {
  kind: TableKind;
  type: FieldType;
}

/** Which tables of points there are, as queries and compaction see them; the same as the catalog table. */
export class Layout {
  readonly types: ReadonlyMap<FieldType, TypeLayout>;
  /** Grows whenever a table comes or goes. */
  version = 0;
  /** Settles when a change that is being committed shows in here. */
  change: Promise<void> | undefined;
  #nextGeneration = 0;

  constructor() {
    this.types = new Map(fieldTypes.map((type) => [type, { hot: [], late: [], partitions: [] }]));
  }

  of(type: FieldType): TypeLayout {
    return this.types.get(type)!;
  }

  /** A number that no table's name has had. */
  nextGeneration(): number {
    return this.#nextGeneration++;
  }

  /** Adds a table that the catalog knows; generations must come in order. */
  add(row: CatalogRow): void {
    const { kind, type, ...partition } = row;
    this.#nextGeneration = Math.max(this.#nextGeneration, row.generation + 1);
    const { partitions } = this.of(type);
    if (kind === 'part') partitions.push(partition);
    else if (kind === 'sums')
      partitions.find(({ startDay }) => startDay === row.startDay)!.sums = {
        ...emptyTable(row.name, row.generation),
        series: 0,
      };
    else this.of(type)[kind].push(emptyTable(row.name, row.generation));
    this.version += 1;
  }
}

/** The last table, which new rows go to. */
export function activeOf(tables: readonly ArrivalTable[]): ArrivalTable {
  return tables.at(-1)!;
}

export function emptyTable(name: string, generation: number): ArrivalTable {
  return { name, generation, rows: 0, minNs: MAX_TIME_NS, maxNs: MIN_TIME_NS };
}

/** Rows of all the tables. */
export function rowsOf(tables: readonly Pick<ArrivalTable, 'rows'>[]): number {
  return tables.reduce((sum, { rows }) => sum + rows, 0);
}

/** A time before which no table holds anything; the greatest time there is when all are empty. */
export function earliestNs({ types }: Layout): bigint {
  let earliest = MAX_TIME_NS;
  for (const { hot, late, partitions } of types.values()) {
    for (const table of [...hot, ...late, ...partitions]) {
      const { firstNs } = timesOfTable(table);
      if (firstNs < earliest) earliest = firstNs;
    }
  }
  return earliest;
}

/** A time after which no table holds anything; the least there is when all are empty. */
export function latestNs({ types }: Layout): bigint {
  let latest = MIN_TIME_NS;
  for (const { hot, late, partitions } of types.values()) {
    for (const table of [...hot, ...late, ...partitions]) {
      const { lastNs } = timesOfTable(table);
      if (lastNs > latest) latest = lastNs;
    }
  }
  return latest;
}

/** Tables with a row at `fromNs` or after and at `lastNs` or before. */
export function tablesIn<T extends ArrivalTable>(tables: readonly T[], fromNs: bigint, lastNs: bigint): T[] {
  return tables.filter((table) => table.rows > 0 && table.minNs <= lastNs && table.maxNs >= fromNs);
}

/** Partitions that may have a row in the range, both ends inclusive: by their rows' times where these are known. */
export function partitionsIn(partitions: readonly Partition[], fromNs: bigint, lastNs: bigint): Partition[] {
  return partitions.filter((partition) => {
    const { firstNs, lastNs: endNs } = timesOfTable(partition);
    return firstNs <= lastNs && endNs >= fromNs;
  });
}

/** First and last nanosecond of a range of days, within what 64 bits hold. */
export function timesOf({ startDay, widthDays }: Pick<Partition, 'startDay' | 'widthDays'>): {
  firstNs: bigint;
  lastNs: bigint;
} {
  const firstNs = BigInt(startDay) * NS_PER_DAY;
  const lastNs = BigInt(startDay + widthDays) * NS_PER_DAY - 1n;
  return {
    firstNs: firstNs < MIN_TIME_NS ? MIN_TIME_NS : firstNs,
    lastNs: lastNs > MAX_TIME_NS ? MAX_TIME_NS : lastNs,
  };
}

/** A time before which, and one after which, a table holds nothing: those of its rows where these are known. */
export function timesOfTable(table: ArrivalTable | Partition): { firstNs: bigint; lastNs: bigint } {
  const times = isPartition(table) ? table.sums : table;
  return times === undefined ? timesOf(table as Partition) : { firstNs: times.minNs, lastNs: times.maxNs };
}

export function isPartition(table: ArrivalTable | Partition): table is Partition {
  return 'startDay' in table;
}

/** The table with fewer rows; the times of an arrival table stay, which costs a query at most a look. */
export function without<T extends ArrivalTable | Partition>(table: T, rows: number): T {
  const left = { ...table, rows: table.rows - rows };
  return isPartition(left) ? { ...left, sortedRows: Math.max(left.sortedRows - rows, 0) } : left;
}
