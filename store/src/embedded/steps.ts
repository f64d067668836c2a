import type { FieldType } from '@tidemark/core';
import { deleteCatalog, insertCatalog, newArrivalTable, newPartition } from './catalog.ts';
import { commitStep } from './commit-step.ts';
import type { Database } from './database.ts';
import { activeOf, type Layout, type Partition, type Sums, timesOf } from './layout.ts';
import { splitRange } from './partitions.ts';
import { createPoints, dayOfTimeSql, lastTable, quote } from './schema.ts';
import { arrivalOrder } from './source.ts';
import type { SumTables } from './sums.ts';
import { applyTargets, grown, planTargets, type Target } from './targets.ts';

export interface StepsOptions {
  database: Database;
  layout: Layout;
  sums: SumTables;
  /** Rows above which a partition of more than a day is split. */
  partitionRows: number;
  /** Runs a change of the tables that are written to, while no write runs. */
  betweenWrites<T>(change: () => Promise<T>): Promise<T>;
  /** Called with tables that are written to no more. */
  onSealed(names: readonly string[]): void;
}

/** The steps of compaction. Each is one transaction: a crash leaves it done or not begun. */
export class Steps {
  readonly #options: StepsOptions;

  constructor(options: StepsOptions) {
    this.#options = options;
  }

  /**
   * Gives writes new tables. Late rows correct only what was written before them, so they are sealed
   * together with the hot rows, and merged after those.
   */
  async seal(type: FieldType, { withLate }: { withLate: boolean }): Promise<void> {
    const { database, layout, betweenWrites, onSealed } = this.#options;
    const tables = layout.of(type);
    const kinds: readonly ('hot' | 'late')[] = withLate ? ['hot', 'late'] : ['hot'];
    await betweenWrites(async () => {
      const sealed = kinds.filter((kind) => activeOf(tables[kind]).rows > 0);
      if (sealed.length === 0) return;
      const fresh = sealed.map((kind) => ({ kind, table: newArrivalTable(layout, type, kind) }));
      const statements = fresh.flatMap(({ kind, table }) => [
        createPoints(table.name, type),
        insertCatalog(table, kind, type),
      ]);
      await database.write(`BEGIN; ${statements.join('; ')}; COMMIT`);
      onSealed(sealed.map((kind) => activeOf(tables[kind]).name));
      for (const { kind, table } of fresh) tables[kind].push(table);
      layout.version += 1;
    });
  }

  /** Makes the sealed hot rows sorted runs of their partitions; returns these. */
  async moveHot(type: FieldType): Promise<Partition[]> {
    const { database, layout } = this.#options;
    const tables = layout.of(type);
    const sealed = tables.hot.slice(0, -1);
    if (sealed.length === 0) return [];
    const source = `(${sealed.map(({ name }) => `SELECT * FROM ${quote(name)}`).join(' UNION ALL ')})`;
    const targets = await this.#plan(type, source);
    const last = quote(lastTable(type));
    const change = async () => {
      for (const target of targets) await this.#insertRun(type, target, source);
      await database.compact(`DELETE FROM ${last} WHERE series IN (SELECT series FROM ${source})`);
      await database.compact(
        `INSERT INTO ${last} SELECT series, max(time), arg_max(value, time) FROM ${source} GROUP BY series`,
      );
      await this.#dropTables(sealed);
    };
    return this.#commit(change, () => {
      tables.hot = tables.hot.slice(sealed.length);
      return applyTargets(tables, targets);
    });
  }

  /** Puts the sealed late rows in the place of what they correct; returns the partitions they are in. */
  async mergeLate(type: FieldType): Promise<Partition[]> {
    const { database, layout } = this.#options;
    const tables = layout.of(type);
    const sealed = tables.late.slice(0, -1);
    if (sealed.length === 0) return [];
    const rows = sealed.map(
      ({ name, generation }) => `SELECT *, ${arrivalOrder(generation)} AS arrival FROM ${quote(name)}`,
    );
    const last = quote(lastTable(type));
    let targets: Target[] = [];
    const change = async () => {
      await database.compact(
        // By time, so that each partition's are read without the others.
        `CREATE OR REPLACE TEMP TABLE merging AS
         SELECT series, time, arg_max(value, arrival) AS value FROM (${rows.join(' UNION ALL ')}) GROUP BY ALL
         ORDER BY time`,
      );
      targets = await this.#plan(type, 'merging');
      for (const target of targets) {
        if (!target.isNew) target.rowsDeleted = await this.#deleteMerging(target.partition);
        await this.#insertRun(type, target, 'merging');
      }
      await database.compact(
        `UPDATE ${last} SET value = merging.value FROM merging
         WHERE ${last}.series = merging.series AND ${last}.time = merging.time`,
      );
      await database.compact('DROP TABLE merging');
      await this.#dropTables(sealed);
    };
    return this.#commit(change, () => {
      tables.late = tables.late.slice(sealed.length);
      return applyTargets(tables, targets);
    });
  }

  /** Sorts a partition into one run, or into several partitions when it is large. */
  async rewrite(type: FieldType, partition: Partition): Promise<void> {
    const { database, layout, partitionRows, sums } = this.#options;
    const tables = layout.of(type);
    const isSplit = partition.rows > partitionRows && partition.widthDays > 1;
    const ranges = isSplit
      ? splitRange(partition, await this.#countByDay(quote(partition.name)), partitionRows)
      : [partition];
    const fresh = ranges.map((range) => newPartition(layout, type, range));
    const change = async () => {
      for (const target of fresh) {
        await database.compact(createPoints(target.name, type));
        target.rows = await this.#insertSorted(target, quote(partition.name));
        target.sortedRows = target.rows;
        target.runs = 1;
        await database.compact(insertCatalog(target, 'part', type));
        target.sums = await sums.make(type, target);
      }
      await sums.drop(partition);
      await this.#dropTables([partition]);
    };
    await this.#commit(change, () => {
      tables.partitions = [...tables.partitions.filter((other) => other !== partition), ...fresh];
    });
  }

  /** Sums up a partition that has no sums. */
  async sumUp(type: FieldType, partition: Partition): Promise<void> {
    let made: Sums | undefined;
    const change = async () => {
      made = await this.#options.sums.make(type, partition);
    };
    await this.#commit(change, () => {
      partition.sums = made;
    });
  }

  async #plan(type: FieldType, source: string): Promise<Target[]> {
    const { layout, partitionRows } = this.#options;
    return planTargets(layout, type, await this.#countByDay(source), partitionRows);
  }

  async #countByDay(source: string): Promise<Map<number, number>> {
    const [days = [], counts = []] = await this.#options.database.compact(
      `SELECT ${dayOfTimeSql} AS day, count(*) FROM ${source} GROUP BY day ORDER BY day`,
    );
    return new Map(days.map((day, index) => [Number(day), Number(counts[index])]));
  }

  async #insertRun(type: FieldType, target: Target, source: string): Promise<void> {
    const { database, sums } = this.#options;
    const { partition, isNew, rowsDeleted } = target;
    if (isNew) await database.compact(createPoints(partition.name, type));
    await this.#insertSorted(partition, source);
    const { rows } = grown(target);
    const added = `(${rowsIn(partition, source)})`;
    target.sums = await sums.renew(type, { partition, rows, isAdded: rowsDeleted === 0, added });
    await database.compact(deleteCatalog(partition));
    await database.compact(insertCatalog(grown(target), 'part', type));
  }

  /** Copies those rows of a source that are of the partition's days, sorted; returns their number. */
  async #insertSorted(partition: Partition, source: string): Promise<number> {
    const inserted = await this.#options.database.compact(
      `INSERT INTO ${quote(partition.name)} ${rowsIn(partition, source)} ORDER BY series, time`,
    );
    return Number(inserted[0]?.[0]);
  }

  async #deleteMerging(partition: Partition): Promise<number> {
    const name = quote(partition.name);
    const deleted = await this.#options.database.compact(
      `DELETE FROM ${name} USING (${rowsIn(partition, 'merging')}) AS late
       WHERE ${name}.series = late.series AND ${name}.time = late.time`,
    );
    return Number(deleted[0]?.[0]);
  }

  async #dropTables(tables: readonly { name: string }[]): Promise<void> {
    const { database } = this.#options;
    for (const table of tables) {
      await database.compact(`DROP TABLE ${quote(table.name)}`);
      await database.compact(deleteCatalog(table));
    }
  }

  #commit<T>(change: () => Promise<void>, apply: () => T): Promise<T> {
    return commitStep(this.#options, change, apply);
  }
}

/** SQL for those rows of a source that are of the partition's days. */
function rowsIn(partition: Partition, source: string): string {
  const { firstNs, lastNs } = timesOf(partition);
  return `SELECT series, time, value FROM ${source} WHERE time BETWEEN ${firstNs} AND ${lastNs}`;
}
