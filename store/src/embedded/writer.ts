import {
  BIGINT,
  type DuckDBAppender,
  type DuckDBConnection,
  DuckDBDataChunk,
  type DuckDBType,
  type DuckDBValue,
  INTEGER,
  VARCHAR,
} from '@duckdb/node-api';
import {
  type FieldType,
  type FieldValue,
  fieldTypeOf,
  type Point,
  type PointColumns,
  Uint64,
} from '@tidemark/core';
import type { RejectedPoint } from '../engine.ts';
import { fitTypes, type TypePolicy } from '../type-policy.ts';
import { appendColumns } from './chunk.ts';
import { isInvalidated } from './database.ts';
import { type ArrivalTable, activeOf, type Layout } from './layout.ts';
import { MAX_TIME_NS, MIN_TIME_NS, valueTypes } from './schema.ts';
import type { Series, SeriesIndex, TagSet } from './series.ts';

interface WriterOptions {
  connection: DuckDBConnection;
  layout: Layout;
  series: SeriesIndex;
  typePolicy: TypePolicy;
  maxSeries?: number | undefined;
}

/** Rows on their way to a table, by column. */
interface Rows {
  series: number[];
  times: bigint[];
  values: DuckDBValue[];
}

/** What a batch brings to each table. */
type Staged = Map<ArrivalTable, { type: FieldType; rows: Rows }>;

/**
 * Appends points to the hot and late tables. It changes the series and the layout before the commit. When that
 * fails they are ahead of the file, which does no harm: what is written again goes to the late tables. After
 * any other failure they must be loaded anew.
 */
export class Writer {
  readonly #connection: DuckDBConnection;
  readonly #layout: Layout;
  readonly #series: SeriesIndex;
  readonly #typePolicy: TypePolicy;
  readonly #maxSeries: number;
  readonly #appenders = new Map<string, DuckDBAppender>();
  readonly #chunks = new Map<FieldType, DuckDBDataChunk>();
  /** Series with this id or a greater one are not in the file yet. */
  #firstUnsavedId: number;
  #isIntact = true;
  /** Series of the fields of the point that is being staged. */
  readonly #found: Series[] = [];

  constructor({
    connection,
    layout,
    series,
    typePolicy,
    maxSeries = Number.POSITIVE_INFINITY,
  }: WriterOptions) {
    this.#connection = connection;
    this.#layout = layout;
    this.#series = series;
    this.#typePolicy = typePolicy;
    this.#maxSeries = maxSeries;
    this.#firstUnsavedId = series.nextId;
  }

  /** False after a failure that it can't go on from. */
  get isIntact(): boolean {
    return this.#isIntact;
  }

  /** Writes a batch in one transaction; the points it can't take come back, the rest is committed. */
  async write(points: PointColumns): Promise<RejectedPoint[]> {
    const rejected: RejectedPoint[] = [];
    const rows: Staged = new Map();
    const tagSets: TagSet[] = [];
    for (let index = 0; index < points.length; index++) {
      const rejection = this.#stage(points, index, tagSets, rows);
      if (rejection !== undefined) rejected.push({ index, ...rejection });
    }
    if (rows.size === 0) return rejected;
    const { nextId } = this.#series;
    this.#isIntact = false;
    await this.#connection.run('BEGIN');
    await this.#appendSeries(nextId);
    for (const [table, { type, rows: staged }] of rows) await this.#appendRows(table, type, staged);
    await this.#commit(rows);
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

  /** `tagSets` are those of the labels that came before, by their slot. */
  #stage(
    points: PointColumns,
    index: number,
    tagSets: TagSet[],
    rows: Staged,
  ): Omit<RejectedPoint, 'index'> | undefined {
    const timeNs = points.times.at(index);
    if (timeNs < MIN_TIME_NS || timeNs > MAX_TIME_NS) {
      return { reason: 'store_rejected', detail: `time ${timeNs} is beyond 64 bits` };
    }
    const slot = points.labelSlotOf(index);
    let tagSet = tagSets[slot];
    if (tagSet === undefined) {
      const { measurement, tags } = points.labels[slot]!;
      tagSet = this.#series.find(measurement, tags);
      if (tagSet !== undefined) tagSets[slot] = tagSet;
    }
    if (tagSet === undefined || !this.#findSeries(tagSet, points, index))
      return this.#stageNew(points.at(index), tagSet, rows);
    const firstField = points.firstFieldOf(index);
    for (let field = firstField; field < points.fieldEndOf(index); field++)
      this.#stageValue(this.#found[field - firstField]!, timeNs, points.valueAt(field), rows);
    return undefined;
  }

  /** True when every field has its series and is of its type: the common case, and the quick one. */
  #findSeries(tagSet: TagSet, points: PointColumns, index: number): boolean {
    const firstField = points.firstFieldOf(index);
    for (let field = firstField; field < points.fieldEndOf(index); field++) {
      const series = tagSet.series.get(points.fieldAt(field));
      if (series?.type !== fieldTypeOf(points.valueAt(field))) return false;
      this.#found[field - firstField] = series;
    }
    return true;
  }

  /** A point that brings a series, or a value of another type than its series has. */
  #stageNew(point: Point, known: TagSet | undefined, rows: Staged): Omit<RejectedPoint, 'index'> | undefined {
    const fitting = fitTypes(point, this.#series.pinsOf(point.measurement), this.#typePolicy);
    if (typeof fitting === 'string') return { reason: 'type_conflict', detail: fitting };
    const { fields, timeNs } = fitting;
    const fresh = fields.filter(([field]) => !known?.series.has(field));
    if (fresh.length > 0 && this.#series.size + fresh.length > this.#maxSeries)
      return { reason: 'too_many_series', detail: fullText(this.#maxSeries, fresh) };
    // What is refused leaves nothing in memory.
    const tagSet = known ?? this.#series.tagSetOf(point);
    for (const [field, value] of fresh) this.#series.add(tagSet, field, fieldTypeOf(value));
    for (const [field, value] of fields) this.#stageValue(tagSet.series.get(field)!, timeNs, value, rows);
    return undefined;
  }

  #stageValue(series: Series, timeNs: bigint, value: FieldValue, staged: Staged): void {
    const tables = this.#layout.of(series.type);
    const isNewest = timeNs > series.lastTimeNs;
    const table = activeOf(isNewest ? tables.hot : tables.late);
    let target = staged.get(table);
    if (target === undefined) {
      target = { type: series.type, rows: { series: [], times: [], values: [] } };
      staged.set(table, target);
    }
    target.rows.series.push(series.id);
    target.rows.times.push(timeNs);
    target.rows.values.push(value instanceof Uint64 ? value.value : value);
    if (timeNs < table.minNs) table.minNs = timeNs;
    if (timeNs > table.maxNs) table.maxNs = timeNs;
    table.rows += 1;
    if (timeNs >= series.lastTimeNs) {
      series.lastTimeNs = timeNs;
      series.lastValue = value;
    }
  }

  /** Only the commit waits for the disk, and it does so off the main thread. */
  async #commit(rows: ReadonlyMap<ArrivalTable, { rows: Rows }>): Promise<void> {
    try {
      await this.#connection.run('COMMIT');
    } catch (error) {
      if (!isInvalidated(error)) {
        await this.#connection.run('ROLLBACK').catch(() => undefined);
        for (const [table, staged] of rows) table.rows -= staged.rows.series.length;
        this.#isIntact = true;
      }
      throw error;
    }
  }

  async #appendSeries(nextId: number): Promise<void> {
    const added: Series[] = [];
    for (let id = this.#firstUnsavedId; id < nextId; id++) added.push(this.#series.byId(id));
    if (added.length === 0) return;
    const columns = [
      added.map(({ id }) => id),
      added.map(({ tagSet }) => tagSet.measurement),
      added.map(({ tagSet }) => JSON.stringify(tagSet.tags)),
      added.map(({ field }) => field),
      added.map(({ type }) => type),
    ];
    const chunk = DuckDBDataChunk.create([INTEGER, VARCHAR, VARCHAR, VARCHAR, VARCHAR]);
    await this.#append('series', chunk, columns);
  }

  async #appendRows(table: ArrivalTable, type: FieldType, { series, times, values }: Rows): Promise<void> {
    let chunk = this.#chunks.get(type);
    if (chunk === undefined) {
      const types: DuckDBType[] = [INTEGER, BIGINT, valueTypes[type].duckdb];
      chunk = DuckDBDataChunk.create(types);
      this.#chunks.set(type, chunk);
    }
    await this.#append(table.name, chunk, [series, times, values]);
  }

  async #append(name: string, chunk: DuckDBDataChunk, columns: readonly DuckDBValue[][]): Promise<void> {
    let appender = this.#appenders.get(name);
    if (appender === undefined) {
      appender = await this.#connection.createAppender(name);
      this.#appenders.set(name, appender);
    }
    appendColumns(appender, chunk, columns);
  }
}

function fullText(maxSeries: number, fresh: Point['fields']): string {
  const names = fresh.map(([field]) => field).join(', ');
  return `the store may have ${maxSeries} series, and this point brings more (${names}); raise store.maxSeries`;
}
