import { messageOf } from '@tidemark/core';
import type { Database } from './database.ts';
import { type ArrivalTable, isPartition, type Layout, type Partition, timesOf } from './layout.ts';
import { quote } from './schema.ts';
import type { SeriesIndex } from './series.ts';

interface OldestOptions {
  database: Database;
  layout: Layout;
  series: SeriesIndex;
}

/** Oldest time of each measurement in one table. */
type Times = ReadonlyMap<string, bigint>;

/** A table can go only once for each step of compaction. */
const MAX_TRIES = 5;

/** Finds each measurement's oldest point: partitions are looked through from the oldest on, and remembered. */
export class Oldest {
  readonly #options: OldestOptions;
  /** Of partitions that have not changed since. */
  #known = new Map<string, { rows: number; runs: number; times: Times }>();

  constructor(options: OldestOptions) {
    this.#options = options;
  }

  async times(): Promise<Map<string, bigint>> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#times();
      } catch (error) {
        if (tries === MAX_TRIES || !/does not exist/.test(messageOf(error))) throw error;
        await this.#options.layout.change;
      }
    }
  }

  async #times(): Promise<Map<string, bigint>> {
    const { layout, series } = this.#options;
    const all = new Map<string, bigint>();
    for (const [type, { hot, late, partitions }] of layout.types) {
      const wanted = series.measurementsOf(type);
      const found = new Map<string, bigint>();
      const startOf = (table: ArrivalTable | Partition) =>
        isPartition(table) ? timesOf(table).firstNs : table.minNs;
      const tables = [...partitions, ...hot, ...late]
        .filter(({ rows }) => rows > 0)
        .sort((a, b) => (startOf(a) < startOf(b) ? -1 : 1));
      for (const table of tables) {
        // What begins later than all that is found holds nothing older.
        if (wanted.every((measurement) => (found.get(measurement) ?? startOf(table) + 1n) <= startOf(table)))
          break;
        keepLeast(found, await this.#timesIn(table));
      }
      keepLeast(all, found);
    }
    this.#forgetDropped();
    return all;
  }

  async #timesIn(table: ArrivalTable | Partition): Promise<Times> {
    if (!isPartition(table)) return this.#ask(table);
    const { name, rows, runs } = table;
    const known = this.#known.get(name);
    if (known?.rows === rows && known.runs === runs) return known.times;
    const times = await this.#ask(table);
    this.#known.set(name, { rows, runs, times });
    return times;
  }

  async #ask({ name }: { name: string }): Promise<Times> {
    const times = new Map<string, bigint>();
    await this.#options.database.read(
      `SELECT measurement, min(time) FROM ${quote(name)} AS rows JOIN series ON rows.series = series.id GROUP BY 1`,
      {},
      (chunk) => {
        const [measurements = [], oldest = []] = chunk.getColumns();
        for (let row = 0; row < measurements.length; row++)
          times.set(measurements[row] as string, oldest[row] as bigint);
      },
    );
    return times;
  }

  #forgetDropped(): void {
    const names = [...this.#options.layout.types.values()].flatMap(({ partitions }) =>
      partitions.map(({ name }) => name),
    );
    const kept = new Set(names);
    for (const name of this.#known.keys()) if (!kept.has(name)) this.#known.delete(name);
  }
}

function keepLeast(into: Map<string, bigint>, times: Times): void {
  for (const [measurement, timeNs] of times) {
    const least = into.get(measurement);
    if (least === undefined || timeNs < least) into.set(measurement, timeNs);
  }
}
