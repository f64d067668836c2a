import type { FieldType } from '@tidemark/core';
import type { WindowSpan } from '../zone.ts';
import { deleteCatalog, insertCatalog, newSums } from './catalog.ts';
import type { Columns, Database } from './database.ts';
import { type Partition, type Sums, type TypeLayout, tablesIn } from './layout.ts';
import { columnsOf, type Part, partOfParts, partOfSeries } from './parts.ts';
import { MAX_TIME_NS, MIN_TIME_NS, quote } from './schema.ts';
import type { SeriesIndex } from './series.ts';

export const kept: Part[] = ['n', 'total', 'low', 'high', 'first_time', 'first', 'last_time', 'last'];

interface SumTablesOptions {
  database: Database;
  series: SeriesIndex;
  /** Rows that a partition has for each series of its type at least: what the sums cost is a small part of it. */
  rowsPerSum: number;
  nextGeneration(): number;
}

/** The change of one partition that a step of compaction makes. */
interface Growth {
  partition: Partition;
  /** Rows it has afterwards. */
  rows: number;
  /** True when rows are only added. */
  isAdded: boolean;
  /** Where the rows added are read from, in SQL, and nothing else. */
  added: string;
}

/**
 * What the points of each series add up to in each partition, so that a window that holds a whole partition is answered
 * without reading it. A table of sums is of one state of its partition and never changes, but for series that go as a
 * whole: the step that changes the partition drops it, and a query that names it then is built anew.
 */
export class SumTables {
  readonly #options: SumTablesOptions;

  constructor(options: SumTablesOptions) {
    this.#options = options;
  }

  /** True when a partition should have sums and has none. */
  isDue(type: FieldType, { sums, rows }: Partition): boolean {
    return sums === undefined && this.#isWorthwhile(type, rows);
  }

  /** Within a step: sums up what is in a partition that has no sums, if that is worthwhile. */
  async make(type: FieldType, partition: Partition): Promise<Sums | undefined> {
    if (!this.#isWorthwhile(type, partition.rows)) return undefined;
    return this.#insert(type, partition, sumsOfPoints(quote(partition.name)));
  }

  /** Within a step: replaces the sums of a partition that it adds to; undefined when they are not known any more. */
  async renew(type: FieldType, { partition, rows, isAdded, added }: Growth): Promise<Sums | undefined> {
    const { sums } = partition;
    const isKnown = isAdded && (sums !== undefined || partition.rows === 0);
    let renewed: Sums | undefined;
    if (isKnown && this.#isWorthwhile(type, rows)) {
      const known = sums === undefined ? '' : ` UNION ALL SELECT * FROM ${quote(sums.name)}`;
      renewed = await this.#insert(
        type,
        partition,
        `SELECT series, ${columnsOf(kept, partOfParts)} FROM (${sumsOfPoints(added)}${known}) GROUP BY series`,
      );
    }
    await this.drop(partition);
    return renewed;
  }

  /** Within a step: drops a partition's sums, if it has any. */
  async drop({ sums }: Partition): Promise<void> {
    if (sums === undefined) return;
    await this.#options.database.compact(`DROP TABLE ${quote(sums.name)}`);
    await this.#options.database.compact(deleteCatalog(sums));
  }

  /** Windows are over floats alone. */
  #isWorthwhile(type: FieldType, rows: number): boolean {
    const { series, rowsPerSum } = this.#options;
    return type === 'float' && rows > 0 && rows >= rowsPerSum * series.countOf(type);
  }

  async #insert(type: FieldType, partition: Partition, rows: string): Promise<Sums> {
    const { database, nextGeneration } = this.#options;
    const table = newSums(nextGeneration(), type, partition);
    const name = quote(table.name);
    await database.compact(
      `CREATE TABLE ${name} (series INTEGER, n BIGINT, total DOUBLE, low DOUBLE, high DOUBLE,
         first_time BIGINT, "first" DOUBLE, last_time BIGINT, "last" DOUBLE)`,
    );
    await database.compact(`INSERT INTO ${name} ${rows} ORDER BY series`);
    await database.compact(insertCatalog(table, 'sums', type));
    const { generation } = table;
    return { name: table.name, generation, ...(await readExtent((sql) => database.compact(sql), table)) };
  }
}

/** Least and greatest time in a table of sums, min > max when it is empty, and how many series it has. */
export async function readExtent(
  run: (sql: string) => Promise<Columns>,
  { name }: { name: string },
): Promise<Pick<Sums, 'minNs' | 'maxNs' | 'series'>> {
  const sql = `SELECT min(first_time), max(last_time), count(*) FROM ${quote(name)}`;
  const [minNs, maxNs, series] = (await run(sql)).map(([value]) => value as bigint | null);
  return { minNs: minNs ?? MAX_TIME_NS, maxNs: maxNs ?? MIN_TIME_NS, series: Number(series) };
}

interface SummedQuery {
  /** Inclusive, both. */
  fromNs: bigint;
  lastNs: bigint;
  /** In order, without gaps. */
  spans: readonly WindowSpan[];
}

/** Partitions that a query may read the sums of, with the start of the one window that each is in. */
export function summedPartitions(
  { partitions, late }: TypeLayout,
  { fromNs, lastNs, spans }: SummedQuery,
): Map<Partition, bigint> {
  const summed = new Map<Partition, bigint>();
  for (const partition of partitions) {
    const { minNs, maxNs } = partition.sums ?? { minNs: 1n, maxNs: 0n };
    if (minNs > maxNs || minNs < fromNs || maxNs > lastNs) continue;
    // A late row may stand in for one that was summed up.
    if (tablesIn(late, minNs, maxNs).length > 0) continue;
    const startNs = windowOf(minNs, spans);
    if (startNs !== undefined && startNs === windowOf(maxNs, spans)) summed.set(partition, startNs);
  }
  return summed;
}

/** Start of the window that holds a time. */
function windowOf(timeNs: bigint, spans: readonly WindowSpan[]): bigint | undefined {
  const span = spans.find(({ endNs }) => timeNs < endNs);
  if (span === undefined || timeNs < span.startNs) return undefined;
  return timeNs - ((timeNs - span.startNs) % span.everyNs);
}

function sumsOfPoints(source: string): string {
  return `SELECT series, ${columnsOf(kept, partOfSeries)} FROM ${source} GROUP BY series`;
}
