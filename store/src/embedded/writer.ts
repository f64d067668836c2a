import {
  BIGINT,
  type DuckDBAppender,
  type DuckDBConnection,
  DuckDBDataChunk,
  type DuckDBType,
  INTEGER,
  VARCHAR,
} from '@duckdb/node-api';
import type { FieldType, PointColumns } from '@tidemark/core';
import type { RejectedPoint } from '../engine.ts';
import type { TypePolicy } from '../type-policy.ts';
import type { Beginnings } from './beginnings.ts';
import { appendColumns, type Columns } from './chunk.ts';
import { isInvalidated } from './database.ts';
import type { ArrivalTable, Layout } from './layout.ts';
import type { RecentPoints } from './recent-points.ts';
import { valueTypes } from './schema.ts';
import type { Series, SeriesIndex } from './series.ts';
import type { StagedRows } from './staged-rows.ts';
import { type Changes, Staging } from './staging.ts';

interface WriterOptions {
  connection: DuckDBConnection;
  layout: Layout;
  series: SeriesIndex;
  beginnings: Beginnings;
  recent: RecentPoints;
  typePolicy: TypePolicy;
  maxSeries?: number | undefined;
}

/**
 * Appends points to the hot and late tables. It changes the series and the layout before the commit. When that
 * fails they are ahead of the file, which does no harm: what is written again goes to the late tables. After
 * any other failure they must be loaded anew.
 */
export class Writer {
  readonly #connection: DuckDBConnection;
  readonly #series: SeriesIndex;
  readonly #beginnings: Beginnings;
  readonly #recent: RecentPoints;
  readonly #staging: Staging;
  readonly #appenders = new Map<string, DuckDBAppender>();
  readonly #chunks = new Map<FieldType, DuckDBDataChunk>();
  /** Series with this id or a greater one are not in the file yet. */
  #firstUnsavedId: number;
  #isIntact = true;

  constructor({
    connection,
    layout,
    series,
    beginnings,
    recent,
    typePolicy,
    maxSeries = Number.POSITIVE_INFINITY,
  }: WriterOptions) {
    this.#connection = connection;
    this.#series = series;
    this.#beginnings = beginnings;
    this.#recent = recent;
    this.#staging = new Staging({ layout, series, typePolicy, maxSeries });
    this.#firstUnsavedId = series.nextId;
  }

  /** False after a failure that it can't go on from. */
  get isIntact(): boolean {
    return this.#isIntact;
  }

  /** Writes a batch in one transaction; the points it can't take come back, the rest is committed. */
  async write(points: PointColumns): Promise<RejectedPoint[]> {
    const rejected = this.#staging.stage(points);
    const changes = this.#staging.changes();
    if (changes.length === 0) return rejected;
    for (const [table, rows] of changes) rows.addTo(table);
    const { nextId } = this.#series;
    this.#isIntact = false;
    await this.#connection.run('BEGIN');
    await this.#appendSeries(nextId);
    for (const [table, rows] of changes) await this.#appendRows(table, rows);
    await this.#commit(changes);
    for (const [, rows] of changes) {
      this.#beginnings.written(rows.leastNs);
      this.#recent.add(rows);
    }
    this.#isIntact = true;
    this.#firstUnsavedId = nextId;
    return rejected;
  }

  /** Forgets tables that are written to no more. */
  release(names: readonly string[]): void {
    for (const name of names) {
      this.#appenders.get(name)?.closeSync();
      this.#appenders.delete(name);
    }
  }

  close(): void {
    this.release([...this.#appenders.keys()]);
  }

  /** Only the commit waits for the disk, and it does so off the main thread. */
  async #commit(changes: Changes): Promise<void> {
    try {
      await this.#connection.run('COMMIT');
    } catch (error) {
      if (!isInvalidated(error)) {
        await this.#connection.run('ROLLBACK').catch(() => undefined);
        for (const [table, rows] of changes) table.rows -= rows.length;
        this.#isIntact = true;
      }
      throw error;
    }
  }

  async #appendSeries(nextId: number): Promise<void> {
    const added: Series[] = [];
    for (let id = this.#firstUnsavedId; id < nextId; id++) added.push(this.#series.byId(id));
    if (added.length === 0) return;
    const columns: Columns = [
      added.map(({ id }) => id),
      added.map(({ tagSet }) => tagSet.measurement),
      added.map(({ tagSet }) => JSON.stringify(tagSet.tags)),
      added.map(({ field }) => field),
      added.map(({ type }) => type),
    ];
    const chunk = DuckDBDataChunk.create([INTEGER, VARCHAR, VARCHAR, VARCHAR, VARCHAR]);
    await this.#append('series', chunk, { columns, rows: added.length });
  }

  async #appendRows(table: ArrivalTable, rows: StagedRows): Promise<void> {
    const { type, series, times, values, length } = rows;
    let chunk = this.#chunks.get(type);
    if (chunk === undefined) {
      const types: DuckDBType[] = [INTEGER, BIGINT, valueTypes[type].duckdb];
      chunk = DuckDBDataChunk.create(types);
      this.#chunks.set(type, chunk);
    }
    await this.#append(table.name, chunk, { columns: [series, times, values], rows: length });
  }

  async #append(
    name: string,
    chunk: DuckDBDataChunk,
    { columns, rows }: { columns: Columns; rows: number },
  ): Promise<void> {
    let appender = this.#appenders.get(name);
    if (appender === undefined) {
      appender = await this.#connection.createAppender(name);
      this.#appenders.set(name, appender);
    }
    appendColumns(appender, chunk, columns, rows);
  }
}
