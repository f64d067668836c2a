import { type FieldType, fieldTypes, type Logger, messageOf } from '@tidemark/core';
import type { Database } from './database.ts';
import {
  type ArrivalTable,
  activeOf,
  emptyTable,
  type Layout,
  type Partition,
  type TypeLayout,
  timesOf,
} from './layout.ts';
import { type DayRange, partitionFor, splitRange } from './partitions.ts';
import { createPoints, dayOfTimeSql, lastTable, quote, type TableKind } from './schema.ts';
import { arrivalOrder } from './source.ts';

/** When compaction acts, and how large partitions become. */
export interface CompactionLimits {
  /** Rows in the hot table of a type that start a compaction. */
  hotRows: number;
  /** The same for the late table. */
  lateRows: number;
  /** Rows above which a partition of more than a day is split. */
  partitionRows: number;
  /** Rows above which a partition stays in its runs, since sorting it anew would take too long. */
  rewriteRows: number;
  /** Runs a partition may consist of while rows still come in. */
  runs: number;
}

export const defaultLimits: CompactionLimits = {
  hotRows: 1_000_000,
  lateRows: 200_000,
  partitionRows: 4_000_000,
  rewriteRows: 50_000_000,
  runs: 16,
};

/** How often, and from which share of the limits on, rows are compacted that have only waited. */
const IDLE_INTERVAL_MS = 600_000;
const IDLE_SHARE = 0.05;

interface Pass {
  /** Of the limits; 0 takes all there is. */
  share: number;
  isForced: boolean;
}

interface CompactionOptions {
  database: Database;
  layout: Layout;
  limits: CompactionLimits;
  logger: Logger;
  /** Runs a change of the tables that are written to, while no write runs. */
  betweenWrites<T>(change: () => Promise<T>): Promise<T>;
  /** Called with tables that are written to no more. */
  onSealed(names: readonly string[]): void;
}

/**
 * Moves points to their final place, one step at a time: hot rows become sorted runs of their partitions,
 * late rows replace what they correct, partitions of many runs are sorted anew and split when large. Each
 * step is one transaction, so a crash leaves it done or not begun.
 */
export class Compaction {
  readonly #options: CompactionOptions;
  #running: Promise<void> | undefined;
  #isStopped = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: CompactionOptions) {
    this.#options = options;
  }

  /** Begins to look from time to time for what is below the limits but has waited. */
  start(): void {
    this.#timer = setInterval(() => this.#poke(IDLE_SHARE), IDLE_INTERVAL_MS);
    this.#timer.unref();
    this.poke();
  }

  /** Starts a compaction in the background when some table is over its limit. */
  poke(): void {
    this.#poke(1);
  }

  #poke(share: number): void {
    if (this.#running !== undefined || this.#isStopped || !this.#isDue(share)) return;
    void this.#start({ share, isForced: false }).catch((error: unknown) => {
      this.#options.logger.error({ err: messageOf(error) }, 'compaction failed; it is tried again');
    });
  }

  /** True when writes outrun compaction so far that they must wait for it. */
  get isOverrun(): boolean {
    const { hotRows, lateRows } = this.#options.limits;
    return this.#some(({ hot, late }) => rowsOf(hot) > 8 * hotRows || rowsOf(late) > 8 * lateRows);
  }

  /** The compaction that is running, settled or not. */
  get running(): Promise<void> | undefined {
    return this.#running;
  }

  /** Compacts everything now, into sorted partitions of one run. */
  async runAll(): Promise<void> {
    while (this.#running !== undefined) await this.#running.catch(() => undefined);
    await this.#start({ share: 0, isForced: true });
  }

  #start(pass: Pass): Promise<void> {
    this.#running = this.#compact(pass).finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  /** Ends after the step that is running. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearInterval(this.#timer);
    await this.#running?.catch(() => undefined);
  }

  #isDue(share: number): boolean {
    return this.#some((tables) => this.#isHotDue(tables, share) || this.#isLateDue(tables, share));
  }

  #isHotDue({ hot }: TypeLayout, share: number): boolean {
    return hot.length > 1 || rowsOf(hot) >= Math.max(this.#options.limits.hotRows * share, 1);
  }

  #isLateDue({ late }: TypeLayout, share: number): boolean {
    return late.length > 1 || rowsOf(late) >= Math.max(this.#options.limits.lateRows * share, 1);
  }

  #some(test: (tables: TypeLayout) => boolean): boolean {
    return [...this.#options.layout.types.values()].some(test);
  }

  async #compact(pass: Pass): Promise<void> {
    for (const type of fieldTypes) {
      if (this.#isStopped) return;
      await this.#compactType(type, pass);
    }
  }

  async #compactType(type: FieldType, { share, isForced }: Pass): Promise<void> {
    const tables = this.#options.layout.of(type);
    const sealsLate = this.#isLateDue(tables, share);
    if (sealsLate || this.#isHotDue(tables, share)) await this.#seal(type, sealsLate);
    const touched = new Set<Partition>();
    await this.#moveHot(type, touched);
    if (sealsLate) await this.#mergeLate(type, touched);
    for (const partition of [...tables.partitions]) {
      if (this.#isStopped) return;
      if (this.#isRewriteDue(partition, touched, isForced)) await this.#rewrite(type, partition);
    }
  }

  /**
   * Gives writes new tables. Late rows correct only what was written before them, so they are sealed
   * together with the hot rows, and merged after those.
   */
  async #seal(type: FieldType, withLate: boolean): Promise<void> {
    const { database, layout, betweenWrites, onSealed } = this.#options;
    const { hot, late } = layout.of(type);
    const kinds: ['hot' | 'late', ArrivalTable[]][] = withLate
      ? [
          ['hot', hot],
          ['late', late],
        ]
      : [['hot', hot]];
    await betweenWrites(async () => {
      const fresh = kinds
        .filter(([, tables]) => activeOf(tables).rows > 0)
        .map(([kind, tables]) => ({ kind, tables, table: newArrivalTable(layout, type, kind) }));
      if (fresh.length === 0) return;
      await database.write('BEGIN');
      for (const { kind, table } of fresh) {
        await database.write(createPoints(table.name, type));
        await database.write(insertCatalog(table, kind, type));
      }
      await database.write('COMMIT');
      onSealed(fresh.map(({ tables }) => activeOf(tables).name));
      for (const { tables, table } of fresh) tables.push(table);
      layout.version += 1;
    });
  }

  /** Makes the sealed hot rows sorted runs of their partitions. */
  async #moveHot(type: FieldType, touched: Set<Partition>): Promise<void> {
    const { layout, database } = this.#options;
    const tables = layout.of(type);
    const sealed = tables.hot.slice(0, -1);
    if (sealed.length === 0) return;
    const source = unionOf(sealed);
    const targets = await this.#targetsOf(type, source);
    const last = quote(lastTable(type));
    await this.#commit(
      async () => {
        for (const target of targets) await this.#insertRun(type, target, source);
        await database.compact(`DELETE FROM ${last} WHERE series IN (SELECT series FROM ${source})`);
        await database.compact(
          `INSERT INTO ${last} SELECT series, max(time), arg_max(value, time) FROM ${source} GROUP BY series`,
        );
        await this.#dropTables(sealed);
      },
      () => {
        tables.hot = tables.hot.slice(sealed.length);
        applyRuns(tables, targets, touched);
      },
    );
  }

  /** Puts the sealed late rows in the place of what they correct. Their hot rows have been moved before. */
  async #mergeLate(type: FieldType, touched: Set<Partition>): Promise<void> {
    const { layout, database } = this.#options;
    const tables = layout.of(type);
    const sealed = tables.late.slice(0, -1);
    if (sealed.length === 0) return;
    const arrivals = sealed.map(
      ({ name, generation }) => `SELECT *, ${arrivalOrder(generation)} AS arrival FROM ${quote(name)}`,
    );
    let targets: Target[] = [];
    await this.#commit(
      async () => {
        await database.compact(
          `CREATE OR REPLACE TEMP TABLE merging AS SELECT series, time, arg_max(value, arrival) AS value
           FROM (${arrivals.join(' UNION ALL ')}) GROUP BY series, time`,
        );
        targets = await this.#targetsOf(type, 'merging');
        for (const target of targets) {
          if (target.isNew) continue;
          const partition = quote(target.partition.name);
          const deleted = await database.compact(
            `DELETE FROM ${partition} USING merging
             WHERE ${partition}.series = merging.series AND ${partition}.time = merging.time`,
          );
          target.rowsDeleted = Number(deleted[0]?.[0] ?? 0);
        }
        for (const target of targets) await this.#insertRun(type, target, 'merging');
        const last = quote(lastTable(type));
        await database.compact(
          `UPDATE ${last} SET value = merging.value FROM merging
           WHERE ${last}.series = merging.series AND ${last}.time = merging.time`,
        );
        await database.compact('DROP TABLE merging');
        await this.#dropTables(sealed);
      },
      () => {
        tables.late = tables.late.slice(sealed.length);
        applyRuns(tables, targets, touched);
      },
    );
  }

  /** Sorts a partition into one run, or into several partitions when it is large. */
  async #rewrite(type: FieldType, partition: Partition): Promise<void> {
    const { layout, limits, database } = this.#options;
    const tables = layout.of(type);
    const ranges = await this.#splitsOf(partition, limits.partitionRows);
    const fresh: Partition[] = [];
    await this.#commit(
      async () => {
        for (const range of ranges) {
          const name = partitionName(layout, type, range);
          await database.compact(createPoints(name, type));
          const { firstNs, lastNs } = timesOf(range);
          const rows = await database.compact(
            `INSERT INTO ${quote(name)} SELECT series, time, value FROM ${quote(partition.name)}
             WHERE time BETWEEN ${firstNs} AND ${lastNs} ORDER BY series, time`,
          );
          const count = Number(rows[0]?.[0]);
          const created = { name, ...range, rows: count, sortedRows: count, runs: 1 };
          await database.compact(insertCatalog(created, 'part', type));
          fresh.push(created);
        }
        await this.#dropTables([partition]);
      },
      () => {
        tables.partitions = [...tables.partitions.filter((other) => other !== partition), ...fresh];
      },
    );
  }

  #isRewriteDue(partition: Partition, touched: ReadonlySet<Partition>, isForced: boolean): boolean {
    const { limits } = this.#options;
    const { rows, sortedRows, runs, widthDays } = partition;
    if (rows > limits.partitionRows && widthDays > 1) return true;
    if (runs <= 1 || rows > limits.rewriteRows) return false;
    if (isForced || runs > limits.runs) return true;
    // While rows come in, sorting is put off; afterwards a small unsorted rest does no harm.
    return !touched.has(partition) && rows - sortedRows > sortedRows / 8;
  }

  async #splitsOf(partition: Partition, maxRows: number): Promise<DayRange[]> {
    const range = { startDay: partition.startDay, widthDays: partition.widthDays };
    if (partition.rows <= maxRows || partition.widthDays === 1) return [range];
    return splitRange(range, await this.#countByDay(quote(partition.name)), maxRows);
  }

  /** The partitions that the rows of a source belong to, the missing ones planned. */
  async #targetsOf(type: FieldType, source: string): Promise<Target[]> {
    const { layout, limits } = this.#options;
    const { partitions } = layout.of(type);
    const targets = new Map<Partition, Target>();
    const planned: Partition[] = [];
    for (const [day, rows] of await this.#countByDay(source)) {
      const known = [...partitions, ...planned];
      let partition = known.find(({ startDay, widthDays }) => day >= startDay && day < startDay + widthDays);
      const isNew = partition === undefined;
      if (partition === undefined) {
        const range = partitionFor(day, known, limits.partitionRows);
        partition = { name: partitionName(layout, type, range), ...range, rows: 0, sortedRows: 0, runs: 0 };
        planned.push(partition);
      }
      const target = targets.get(partition) ?? { partition, isNew, rowsAdded: 0, rowsDeleted: 0 };
      target.rowsAdded += rows;
      targets.set(partition, target);
    }
    return [...targets.values()];
  }

  async #countByDay(source: string): Promise<Map<number, number>> {
    const [days, counts] = await this.#options.database.compact(
      `SELECT ${dayOfTimeSql} AS day, count(*) FROM ${source} GROUP BY day ORDER BY day`,
    );
    return new Map((days ?? []).map((day, index) => [Number(day), Number(counts![index])]));
  }

  async #insertRun(type: FieldType, target: Target, source: string): Promise<void> {
    const { database } = this.#options;
    const { partition, isNew } = target;
    const { firstNs, lastNs } = timesOf(partition);
    if (isNew) await database.compact(createPoints(partition.name, type));
    await database.compact(
      `INSERT INTO ${quote(partition.name)} SELECT series, time, value FROM ${source}
       WHERE time BETWEEN ${firstNs} AND ${lastNs} ORDER BY series, time`,
    );
    await database.compact(`DELETE FROM tables WHERE name = '${partition.name}'`);
    await database.compact(insertCatalog({ ...partition, ...grown(target) }, 'part', type));
  }

  async #dropTables(tables: readonly { name: string }[]): Promise<void> {
    const { database } = this.#options;
    for (const { name } of tables) {
      await database.compact(`DROP TABLE ${quote(name)}`);
      await database.compact(`DELETE FROM tables WHERE name = '${name}'`);
    }
  }

  /** Runs one step: its statements in a transaction, then the same change in memory. */
  async #commit(statements: () => Promise<void>, apply: () => void): Promise<void> {
    const { database, layout } = this.#options;
    const step = database.compactAtomically(statements).then(() => {
      apply();
      layout.version += 1;
    });
    layout.change = step.catch(() => undefined);
    try {
      await step;
    } finally {
      layout.change = undefined;
    }
  }
}

/** Rows that go to one partition in one step. */
interface Target {
  partition: Partition;
  isNew: boolean;
  rowsAdded: number;
  rowsDeleted: number;
}

function grown({
  partition,
  rowsAdded,
  rowsDeleted,
}: Target): Pick<Partition, 'rows' | 'sortedRows' | 'runs'> {
  const { rows, sortedRows, runs } = partition;
  return {
    rows: rows + rowsAdded - rowsDeleted,
    sortedRows: runs === 0 ? rowsAdded : Math.max(sortedRows - rowsDeleted, 0),
    runs: runs + 1,
  };
}

function applyRuns(tables: TypeLayout, targets: readonly Target[], touched: Set<Partition>): void {
  const fresh = targets.filter(({ isNew }) => isNew).map(({ partition }) => partition);
  for (const target of targets) {
    Object.assign(target.partition, grown(target));
    touched.add(target.partition);
  }
  tables.partitions = [...tables.partitions, ...fresh];
}

function rowsOf(tables: readonly ArrivalTable[]): number {
  return tables.reduce((sum, { rows }) => sum + rows, 0);
}

function unionOf(tables: readonly ArrivalTable[]): string {
  return `(${tables.map(({ name }) => `SELECT series, time, value FROM ${quote(name)}`).join(' UNION ALL ')})`;
}

export function newArrivalTable(layout: Layout, type: FieldType, kind: 'hot' | 'late'): ArrivalTable {
  const generation = layout.nextGeneration();
  return emptyTable(`${kind}_${type}_${generation}`, generation);
}

function partitionName(layout: Layout, type: FieldType, { startDay, widthDays }: DayRange): string {
  return `part_${type}_${startDay}_${widthDays}_${layout.nextGeneration()}`;
}

/** SQL that lists a table in the catalog; every value is ours. */
export function insertCatalog(
  table: { name: string; generation?: number } & Partial<Partition>,
  kind: TableKind,
  type: FieldType,
): string {
  const { name, generation = Number(name.split('_').at(-1)) } = table;
  const { startDay = 0, widthDays = 0, rows = 0, sortedRows = 0, runs = 0 } = table;
  const numbers = [generation, startDay, widthDays, rows, sortedRows, runs].join(', ');
  return `INSERT INTO tables VALUES ('${name}', '${kind}', '${type}', ${numbers})`;
}
