import { BIGINT, DOUBLE, INTEGER, LIST, listValue, VARCHAR } from '@duckdb/node-api';
import { type FieldType, fieldTypes } from '@tidemark/core';
import type { Expiry } from '../engine.ts';
import { deleteCatalog, insertCatalog } from './catalog.ts';
import { commitStep } from './commit-step.ts';
import type { Database } from './database.ts';
import { type Layout, type Partition, tablesIn, timesOf, without } from './layout.ts';
import { lastTable, MIN_TIME_NS, quote } from './schema.ts';
import type { Series, SeriesIndex } from './series.ts';
import type { Steps } from './steps.ts';
import type { SumTables } from './sums.ts';

interface PurgeOptions {
  database: Database;
  layout: Layout;
  series: SeriesIndex;
  sums: SumTables;
  steps: Pick<Steps, 'rewrite'>;
  /** Runs one change of the tables while no step of compaction runs. */
  step<T>(change: () => Promise<T>): Promise<T>;
  /** Runs a change of the tables that are written to, while no write runs. */
  betweenWrites<T>(change: () => Promise<T>): Promise<T>;
}

/** From which share of its rows on a partition that lost some is written anew, which frees their room. */
const REWRITE_SHARE = 1 / 8;

/**
 * Removes what is older than its measurement's points may be. Partitions that hold nothing else are dropped, which
 * costs nothing; of others the rows are deleted. Each partition is a transaction, between two steps of compaction.
 */
export class Purge {
  readonly #options: PurgeOptions;

  constructor(options: PurgeOptions) {
    this.#options = options;
  }

  /** Removes what partitions hold of it, then series that have nothing left; answers how many values went. */
  async run(expiries: readonly Expiry[]): Promise<number> {
    const { layout, step, betweenWrites } = this.#options;
    let points = 0;
    for (const type of fieldTypes) {
      for (const partition of layout.of(type).partitions) {
        points += await step(() => this.#purgePartition(type, partition, expiries));
      }
    }
    return points + (await step(() => betweenWrites(() => this.#removeSeries(expiries))));
  }

  /**
   * A time that about `rows` values in partitions are before: the end of the last of the oldest partitions that
   * hold as many, or a time within it. Undefined when there are none.
   */
  async timeOfOldest(rows: number): Promise<bigint | undefined> {
    const { layout, database } = this.#options;
    const oldestFirst = [...layout.types.values()]
      .flatMap(({ partitions }) => partitions)
      .filter((partition) => partition.rows > 0)
      .sort((a, b) => a.startDay + a.widthDays - (b.startDay + b.widthDays));
    let left = rows;
    for (const partition of oldestFirst) {
      if (left > partition.rows) {
        left -= partition.rows;
        continue;
      }
      const share = [left / partition.rows, DOUBLE] as const;
      const found = await database.compact(
        `SELECT quantile_disc(time, $share) FROM ${quote(partition.name)}`,
        { share },
      );
      return (found[0]?.[0] as bigint) + 1n;
    }
    const last = oldestFirst.at(-1);
    return last && timesOf(last).lastNs;
  }

  async #purgePartition(type: FieldType, partition: Partition, expiries: readonly Expiry[]): Promise<number> {
    const { layout, series, steps } = this.#options;
    const tables = layout.of(type);
    const { firstNs, lastNs } = timesOf(partition);
    const due = expiries.filter(({ beforeNs }) => beforeNs > firstNs);
    // Another step may have put others in its place since.
    if (due.length === 0 || !tables.partitions.includes(partition)) return 0;
    const over = new Set(
      due.flatMap(({ measurement, beforeNs }) => (beforeNs > lastNs ? [measurement] : [])),
    );
    if (series.measurementsOf(type).every((measurement) => over.has(measurement))) {
      await this.#drop(type, partition);
      return partition.rows;
    }
    const removed = await this.#deleteRows(type, partition, due);
    if (partition.rows > 0 && removed >= (partition.rows + removed) * REWRITE_SHARE)
      await steps.rewrite(type, partition);
    return removed;
  }

  #drop(type: FieldType, partition: Partition): Promise<void> {
    const tables = this.#options.layout.of(type);
    return commitStep(
      this.#options,
      () => this.#dropTable(partition),
      () => {
        tables.partitions = tables.partitions.filter((other) => other !== partition);
      },
    );
  }

  async #dropTable(partition: Partition): Promise<void> {
    const { database, sums } = this.#options;
    await sums.drop(partition);
    await database.compact(`DROP TABLE ${quote(partition.name)}`);
    await database.compact(deleteCatalog(partition));
  }

  async #deleteRows(type: FieldType, partition: Partition, due: readonly Expiry[]): Promise<number> {
    const { database, layout, sums } = this.#options;
    const tables = layout.of(type);
    let removed = 0;
    const change = async () => {
      for (const { measurement, beforeNs } of due) {
        const deleted = await database.compact(
          `DELETE FROM ${quote(partition.name)} WHERE time < $before
           AND series IN (SELECT id FROM series WHERE measurement = $measurement)`,
          { before: [beforeNs, BIGINT], measurement: [measurement, VARCHAR] },
        );
        removed += Number(deleted[0]?.[0]);
      }
      if (removed === 0) return;
      if (removed >= partition.rows) return this.#dropTable(partition);
      await sums.drop(partition);
      await database.compact(deleteCatalog(partition));
      await database.compact(insertCatalog(without(partition, removed), 'part', type));
    };
    await commitStep(this.#options, change, () => {
      if (removed > 0 && removed >= partition.rows)
        tables.partitions = tables.partitions.filter((other) => other !== partition);
      if (removed > 0) Object.assign(partition, without(partition, removed), { sums: undefined });
    });
    return removed;
  }

  /** Series whose newest point is over make room for others; rows of theirs came late, if any wait. */
  async #removeSeries(expiries: readonly Expiry[]): Promise<number> {
    const { series: index, layout, database } = this.#options;
    const over: Series[] = [];
    let beforeNs = MIN_TIME_NS;
    for (const expiry of expiries) {
      if (expiry.beforeNs > beforeNs) beforeNs = expiry.beforeNs;
      for (const one of index.seriesOf(expiry.measurement))
        if (one.lastTimeNs < expiry.beforeNs) over.push(one);
    }
    if (over.length === 0) return 0;
    const ids = { ids: [listValue(over.map(({ id }) => id)), LIST(INTEGER)] } as const;
    const remove = async (table: string, column: string): Promise<number> => {
      const sql = `DELETE FROM ${quote(table)} WHERE ${column} IN (SELECT unnest($ids))`;
      return Number((await database.compact(sql, ids))[0]?.[0]);
    };
    const shrunk: [table: { rows: number }, rows: number][] = [];
    await database.compactAtomically(async () => {
      for (const type of fieldTypes) {
        await remove(lastTable(type), 'series');
        const { hot, late } = layout.of(type);
        for (const table of tablesIn([...hot, ...late], MIN_TIME_NS, beforeNs - 1n))
          shrunk.push([table, await remove(table.name, 'series')]);
      }
      await remove('series', 'id');
    });
    index.removeSeries(over);
    for (const [table, rows] of shrunk) table.rows -= rows;
    return shrunk.reduce((sum, [, rows]) => sum + rows, 0);
  }
}
