import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import {
  type Clock,
  Counter,
  type FieldType,
  fieldTypes,
  type Logger,
  messageOf,
  NS_PER_MS,
  type Point,
  PointColumns,
  type Reading,
  type Registry,
  syncPath,
  TidemarkError,
} from '@tidemark/core';
import type { Statement } from '@tidemark/influxql';
import type {
  Engine,
  Expiry,
  LatestValue,
  PointsQuery,
  QueryOptions,
  QuerySeries,
  ReadingFilter,
  ReadingKey,
  ReadingsQuery,
  RejectedPoint,
  StorageReport,
  StoreSnapshot,
  StoreStatus,
  Windows,
  WindowsQuery,
} from '../engine.ts';
import { TravellerCache } from '../traveller-cache.ts';
import type { TravellerWindows } from '../traveller-windows.ts';
import type { TravellerStay, TravellerStaysQuery, TravellerWindowsQuery } from '../travellers.ts';
import { Turns } from '../turns.ts';
import type { TypePolicy } from '../type-policy.ts';
import { Beginnings } from './beginnings.ts';
import { insertCatalog, newArrivalTable } from './catalog.ts';
import { Compaction, type CompactionLimits, defaultLimits } from './compaction.ts';
import { Database, isInvalidated, isSyncFailure } from './database.ts';
import type { Layout } from './layout.ts';
import { loadLayout, loadSeries } from './load.ts';
import { Oldest } from './oldest.ts';
import { openingError } from './opening.ts';
import { scanPoints } from './points.ts';
import { Purge } from './purge.ts';
import { Reader } from './reader.ts';
import { latestValues, queryReadings } from './readings.ts';
import { queryReadingsAt } from './readings-at.ts';
import { RecentPoints } from './recent-points.ts';
import { renewFile } from './renew-file.ts';
import { createPoints, MAX_TIME_NS } from './schema.ts';
import { SensorChanges } from './sensor-changes.ts';
import { Steps } from './steps.ts';
import { SumTables } from './sums.ts';
import { queryTravellerStays } from './traveller-stays.ts';
import { queryTravellerWindows } from './traveller-windows.ts';
import { queryWindows } from './windows.ts';
import { Writer } from './writer.ts';

interface EmbeddedOptions {
  /** Directory of the store's files; created when missing. */
  path: string;
  memoryBytes: number;
  /** Points of further series are refused; without it, none is. */
  maxSeries?: number;
  /** `quarantine` when not given. */
  typePolicy?: TypePolicy;
  /** A silence longer than this ends a traveller's stay; without it, no windows are worked out ahead of questions. */
  stayGapMs?: number;
  clock: Clock;
  logger: Logger;
  metrics: Registry;
  limits?: CompactionLimits;
}

/** Everything that hangs on one opening of the file. */
interface Session {
  database: Database;
  writer: Writer;
  reader: Reader;
  compaction: Compaction;
  changes: SensorChanges;
  purge: Purge;
  oldest: Oldest;
}

/** The store on a DuckDB file in this process. What `write` has resolved is on disk already. */
export class EmbeddedEngine implements Engine {
  readonly influxql = {
    kind: 'own',
    answer: async (statement: Statement, options: QueryOptions): Promise<QuerySeries[]> => {
      // Loaded with the first query, so that the platform starts without it.
      const { answerStatement } = await import('./query/answer.ts');
      return this.#read((reader) => answerStatement(reader, statement, options));
    },
  } as const;
  readonly #options: EmbeddedOptions;
  #session: Session | undefined;
  #failure: string | undefined;
  /** What a query has found; it stays until the next start. */
  #damage: string | undefined;
  /** True from the first point that was refused for its series until there is room again. */
  #isFull = false;
  #reopening: Promise<void> | undefined;
  /** True when an fsync of DuckDB's log has failed: what it holds must be in the file before another log is begun. */
  #isLogUnsynced = false;
  /** Why nothing is written before the next start: an fsync of the file has failed, and no later one tells the truth. */
  #unsynced: string | undefined;
  /** Changes of the file through the writing connection, and of what writes change. */
  readonly #writes = new Turns();
  readonly #cutBytes: Counter;
  readonly #travellers = new TravellerCache({
    compute: (query) => this.#read((reader) => queryTravellerWindows(reader, query)),
  });

  constructor(options: EmbeddedOptions) {
    this.#options = options;
    this.#cutBytes = new Counter({
      name: 'tidemark_store_log_cut_bytes_total',
      help: "Bytes of the embedded store's own log that could not be replayed and were set aside",
      registers: [options.metrics],
    });
  }

  /** Opens or creates the file; throws `store_newer`, `store_damaged` or `data_dir_unusable`. */
  async start(): Promise<void> {
    const { clock, logger, stayGapMs } = this.#options;
    const startMs = clock.monotonicMs();
    this.#session = await this.#open();
    const { series } = this.#session.reader;
    logger.info({ series: series.size, tookMs: Math.round(clock.monotonicMs() - startMs) }, 'store opened');
    if (!this.#isLogUnsynced && this.#unsynced === undefined) this.#session.compaction.start();
    if (stayGapMs !== undefined)
      this.#travellers.start({ nowNs: () => clock.nowNs(), gapNs: BigInt(stayGapMs) * NS_PER_MS });
  }

  async stop(): Promise<void> {
    this.#travellers.stop();
    await this.#close();
    this.#failure = undefined;
    this.#damage = undefined;
    this.#isLogUnsynced = false;
    this.#unsynced = undefined;
  }

  async #close(): Promise<void> {
    const session = this.#session;
    if (session === undefined) return;
    this.#session = undefined;
    session.database.interruptCompaction();
    await session.compaction.stop();
    await this.#writes
      .run(async () => {
        session.writer.close();
        // Saves the next start from replaying the log.
        if (this.#failure === undefined && !this.#isLogUnsynced && this.#unsynced === undefined)
          await session.database.checkpoint({ always: true });
        else await session.database.leaveLogAsItIs();
      })
      .catch((error: unknown) =>
        this.#options.logger.warn({ err: messageOf(error) }, 'no checkpoint at the end'),
      );
    await session.database.close();
  }

  async write(given: readonly Point[] | PointColumns): Promise<readonly RejectedPoint[]> {
    if (given.length === 0) return [];
    const points = given instanceof PointColumns ? given : PointColumns.of(given);
    if (this.#session === undefined && this.#failure !== undefined) await this.#reopen();
    const { writer, compaction, database } = await this.#writable();
    database.load.note(points.length);
    await compaction.keepUp();
    let rejected: readonly RejectedPoint[];
    try {
      rejected = await this.#writes.run(() => writer.write(points));
      this.#failure = undefined;
      this.#travellers.noteWritten(points);
    } catch (cause) {
      this.#travellers.clear();
      throw await this.#failed(cause, writer.isIntact);
    }
    await this.#writes.run(() => database.checkpoint()).catch((error: unknown) => this.#failed(error, false));
    compaction.poke();
    this.#noteFull(rejected);
    return rejected;
  }

  /** Says once, and not for each point, that there is no room for further series. */
  #noteFull(rejected: readonly RejectedPoint[]): void {
    const { logger, maxSeries = Number.POSITIVE_INFINITY } = this.#options;
    const isRefused = rejected.some(({ reason }) => reason === 'too_many_series');
    if (isRefused && !this.#isFull)
      logger.warn(
        { maxSeries },
        'the store has as many series as it may; points of further ones are quarantined',
      );
    this.#isFull = isRefused || (this.#isFull && this.#opened().reader.series.size >= maxSeries);
  }

  /** DuckDB's COMMIT returns after the fsync of its log, in which the position is the last; the log's name is left. */
  async sync(position: number): Promise<void> {
    const { database } = await this.#writable();
    await this.#writes
      .run(() => database.savePosition(position))
      .catch(async (error: unknown) => {
        throw await this.#failed(error);
      });
    await syncPath(dirname(database.file));
  }

  async position(): Promise<number | undefined> {
    return this.#opened().database.position;
  }

  countSensor(sensor: string): Promise<number> {
    return this.#opened().changes.count(sensor);
  }

  deleteSensor(sensor: string): Promise<{ points: number }> {
    return this.#changeSensor((changes) => changes.delete(sensor));
  }

  renameSensor(from: string, to: string): Promise<void> {
    return this.#changeSensor((changes) => changes.rename(from, to));
  }

  async readings(query: ReadingsQuery): Promise<Reading[]> {
    return this.#read((reader) => queryReadings(reader, query));
  }

  async readingsAt(keys: readonly ReadingKey[]): Promise<(Reading | undefined)[]> {
    return this.#read((reader) => queryReadingsAt(reader, keys));
  }

  async latest(filter: ReadingFilter): Promise<LatestValue[]> {
    return latestValues(this.#opened().reader.series, filter);
  }

  async windows(query: WindowsQuery): Promise<Windows> {
    return this.#read((reader) => queryWindows(reader, query));
  }

  travellerWindows(query: TravellerWindowsQuery): Promise<TravellerWindows> {
    return this.#travellers.answer(query);
  }

  travellerStays(query: TravellerStaysQuery): Promise<TravellerStay[]> {
    return this.#read((reader) => queryTravellerStays(reader, query));
  }

  async *points(query: PointsQuery): AsyncGenerator<readonly Point[]> {
    const { reader } = this.#opened();
    try {
      yield* scanPoints(reader, query);
    } catch (error) {
      this.#noteDamage(error);
      throw error;
    }
  }

  async fields(): Promise<{ measurement: string; field: string; type: FieldType }[]> {
    return this.#opened().reader.series.fields();
  }

  async status(): Promise<StoreStatus> {
    const session = this.#session;
    if (session === undefined) return { isHealthy: false, message: 'the store is not open' };
    const { file } = session.database;
    const sizes = await Promise.all([file, `${file}.wal`].map(sizeOf));
    return {
      isHealthy: (this.#unsynced ?? this.#failure) === undefined && this.#damage === undefined,
      message:
        this.#unsynced ?? this.#failure ?? this.#damage ?? (this.#isFull ? fullMessage : 'embedded store'),
      series: session.reader.series.size,
      diskBytes: sizes.reduce((sum, size) => sum + size, 0),
    };
  }

  async storage(): Promise<StorageReport> {
    const { database, oldest } = this.#opened();
    return { usedBytes: await database.usedBytes(), oldestNs: await oldest.times() };
  }

  async purge(expiries: readonly Expiry[]): Promise<{ points: number }> {
    if (expiries.length === 0) return { points: 0 };
    const { compaction, purge, database, reader } = await this.#writable();
    try {
      const newestNs = expiries.map(({ beforeNs }) => beforeNs).reduce((a, b) => (a > b ? a : b));
      await compaction.settle(newestNs);
      reader.recent.forgetBefore(newestNs);
      const points = await purge.run(expiries);
      // Room is free only then.
      if (points > 0) await this.#writes.run(() => database.checkpoint({ always: true }));
      compaction.poke({ withSums: true });
      return { points };
    } catch (error) {
      this.#noteSyncFault(error);
      // Rolled back; writes find out for themselves whether the store is well.
      const message = `nothing more can be purged now: ${messageOf(error)}`;
      throw new TidemarkError('store_unavailable', message, { cause: error, retryable: true });
    } finally {
      reader.beginnings.forget();
      this.#travellers.clear();
    }
  }

  async snapshot(): Promise<StoreSnapshot> {
    if (this.#failure !== undefined) await this.#reopen();
    const { compaction, database } = await this.#writable();
    return compaction.betweenSteps(() => this.#writes.run(() => database.hold()));
  }

  async timeOfOldest(bytes: number): Promise<bigint | undefined> {
    const { compaction, purge, database, reader } = this.#opened();
    await compaction.settle(MAX_TIME_NS);
    const tables = [...reader.layout.types.values()].flatMap(({ hot, late, partitions }) => [
      ...hot,
      ...late,
      ...partitions,
    ]);
    const share = bytes / (await database.usedBytes());
    return purge.timeOfOldest(Math.ceil(share * tables.reduce((sum, { rows }) => sum + rows, 0)));
  }

  /** Brings every point to its final, sorted place now. */
  async compact(): Promise<void> {
    await (await this.#writable()).compaction.runAll();
  }

  async #open(): Promise<Session> {
    const { clock, logger, limits = defaultLimits, typePolicy = 'quarantine', maxSeries } = this.#options;
    const database = await Database.open({
      ...this.#options,
      onCut: (cut) => {
        this.#cutBytes.inc(cut.bytes);
        logger.warn(cut, "the end of the store's own log is damaged and was set aside, as after a power cut");
      },
    });
    try {
      const layout = await loadLayout(database);
      await createArrivalTables(database, layout);
      const series = await loadSeries(database, layout);
      const beginnings = new Beginnings();
      const recent = new RecentPoints(series);
      const writer = new Writer({
        connection: database.writer,
        layout,
        series,
        beginnings,
        recent,
        typePolicy,
        maxSeries,
      });
      const sums = new SumTables({
        database,
        series,
        rowsPerSum: limits.rowsPerSum,
        nextGeneration: () => layout.nextGeneration(),
      });
      const steps = new Steps({
        database,
        layout,
        sums,
        partitionRows: limits.partitionRows,
        betweenWrites: (change) => this.#writes.run(change),
        onSealed: (names) => writer.release(names),
      });
      const onFailed = (error: unknown) => this.#noteSyncFault(error);
      const compaction = new Compaction({ steps, sums, layout, limits, onFailed, clock, logger });
      const reader = new Reader({ database, layout, series, beginnings, recent });
      const parts = { database, layout, series };
      const purge = new Purge({
        ...parts,
        sums,
        steps,
        step: (change) => compaction.betweenSteps(change),
        betweenWrites: (change) => this.#writes.run(change),
      });
      const changes = new SensorChanges({ database, reader });
      return { database, writer, compaction, reader, changes, purge, oldest: new Oldest(parts) };
    } catch (error) {
      await database.close();
      throw openingError(database.file, error);
    }
  }

  /** Starts anew from what is on disk. */
  #reopen(): Promise<void> {
    this.#reopening ??= this.#close()
      .then(() => this.#renewLog())
      .then(() => this.start())
      .catch((cause: unknown) => {
        throw new TidemarkError('store_unavailable', `the store cannot be opened: ${messageOf(cause)}`, {
          cause,
          retryable: true,
          outage: 'failed',
        });
      })
      .finally(() => {
        this.#reopening = undefined;
      });
    return this.#reopening;
  }

  /** Gives DuckDB's log, an fsync of which has failed, a new file; without one it can be read, and not written. */
  async #renewLog(): Promise<void> {
    if (!this.#isLogUnsynced || this.#unsynced !== undefined) return;
    try {
      await renewFile(`${this.#options.path}.wal`);
      this.#isLogUnsynced = false;
    } catch (error) {
      this.#failure = messageOf(error);
    }
  }

  /** Asks once more when DuckDB had given up, and was opened anew. */
  async #read<T>(read: (reader: Reader) => Promise<T>): Promise<T> {
    try {
      return await read(this.#opened().reader);
    } catch (error) {
      this.#noteDamage(error);
      if (!isInvalidated(error)) throw error;
      await this.#failed(error, false);
      return read(this.#opened().reader);
    }
  }

  #noteDamage(error: unknown): void {
    if (error instanceof TidemarkError && error.code === 'store_damaged') this.#damage = error.message;
  }

  async #changeSensor<T>(change: (changes: SensorChanges) => Promise<T>): Promise<T> {
    if (this.#failure !== undefined) await this.#reopen();
    const { compaction, changes, database } = await this.#writable();
    try {
      return await compaction.betweenSteps(() =>
        this.#writes.run(async () => {
          const result = await change(changes);
          // The spool knows nothing of it: it must not hang on DuckDB's log.
          await database.checkpoint({ always: true });
          return result;
        }),
      );
    } catch (error) {
      throw error instanceof TidemarkError ? error : await this.#failed(error);
    } finally {
      this.#travellers.clear();
    }
  }

  /** What to tell the caller; what cannot be gone on with is opened anew at once, so that queries go on. */
  async #failed(cause: unknown, isIntact = !isInvalidated(cause)): Promise<TidemarkError> {
    this.#failure = messageOf(cause);
    this.#noteSyncFault(cause);
    if (!isIntact || isSyncFailure(cause)) await this.#reopen().catch(() => undefined);
    return unwritable(this.#unsynced ?? this.#failure, cause);
  }

  /** A page that an fsync could not write counts as written for the next one: no file is synced again. */
  #noteSyncFault(cause: unknown): void {
    if (!isSyncFailure(cause)) return;
    const inFile = this.#session?.database.syncFault;
    if (inFile === undefined) this.#isLogUnsynced = true;
    else this.#unsynced ??= `${inFile}; nothing is written to the store before Tidemark is started again`;
  }

  /** The session, to change the file. DuckDB's log gives way to a new one first when an fsync of it has failed. */
  async #writable(): Promise<Session> {
    if (this.#isLogUnsynced && this.#unsynced === undefined) await this.#reopen();
    const session = this.#opened();
    const reason = this.#unsynced ?? (this.#isLogUnsynced ? this.#failure : undefined);
    if (reason !== undefined) throw unwritable(reason);
    return session;
  }

  #opened(): Session {
    if (this.#session === undefined) {
      throw new TidemarkError('store_unavailable', 'the store is not open', { retryable: true });
    }
    return this.#session;
  }
}

function unwritable(reason: string, cause?: unknown): TidemarkError {
  const options = { cause, retryable: true, outage: 'failed' } as const;
  return new TidemarkError('store_unavailable', `the store cannot be written: ${reason}`, options);
}

const fullMessage = 'embedded store; it has as many series as it may (store.maxSeries)';

async function createArrivalTables(database: Database, layout: Layout): Promise<void> {
  for (const type of fieldTypes) {
    for (const kind of ['hot', 'late'] as const) {
      if (layout.of(type)[kind].length > 0) continue;
      const table = newArrivalTable(layout, type, kind);
      await database.write(
        `BEGIN; ${createPoints(table.name, type)}; ${insertCatalog(table, kind, type)}; COMMIT`,
      );
      layout.of(type)[kind].push(table);
    }
  }
}

async function sizeOf(file: string): Promise<number> {
  return (await stat(file).catch(() => undefined))?.size ?? 0;
}
