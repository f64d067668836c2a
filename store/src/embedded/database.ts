import { mkdirSync } from 'node:fs';
import { stat, statfs } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type {
  DuckDBConnection,
  DuckDBDataChunk,
  DuckDBInstance,
  DuckDBMaterializedResult,
  DuckDBType,
  DuckDBValue,
} from '@duckdb/node-api';
import { type Clock, messageOf, nextTurn, TidemarkError } from '@tidemark/core';
import type { StoreSnapshot } from '../engine.ts';
import { computeLimits, MAX_READS } from './compute-limits.ts';
import { niceComputeThreads } from './compute-threads.ts';
import { HeldFile } from './held-file.ts';
import { type LogCut, openRepaired } from './log-repair.ts';
import { markStore, openingError, refuseLostStore } from './opening.ts';
import { baseTables, LAYOUT_VERSION, positionTable } from './schema.ts';
import { Slots } from './slots.ts';
import { WriteLoad } from './write-load.ts';

interface OpenOptions {
  path: string;
  memoryBytes: number;
  clock: Clock;
  /** Told of what could not be replayed of DuckDB's log. */
  onCut: (cut: LogCut) => void;
}

interface Opened {
  file: string;
  instance: DuckDBInstance;
  /** For writes, for compaction, and for reads. */
  connections: readonly DuckDBConnection[];
  /** Those that DuckDB computes on by itself. */
  cores: number;
  clock: Clock;
}

/** Values of named parameters (`$name`) with their types. */
export type Parameters = Record<string, readonly [value: DuckDBValue, type: DuckDBType]>;
export type Columns = DuckDBValue[][];

/** Bounds what a start after a crash has to replay. */
const MAX_LOG_BYTES = 32 * 2 ** 20;
/** Room that a checkpoint must leave on the disk. */
const SPARE_BYTES = 16 * 2 ** 20;

/** Of the memory that the store may use, what DuckDB is told: it fills that with blocks of its file, and takes more that it does not count. */
const COUNTED_MEMORY = 1 / 2;
/** How long an answer is gone through before others get their turn on the main thread. */
const TURN_MS = 0.5;
const MAX_WAITING_READS = 1000;

// Two owners of one file within a process corrupt it without a word; DuckDB's own lock is for other processes.
const openFiles = new Set<string>();

/**
 * The DuckDB file with its connections: one for writes, one for compaction, two for reads. At most three
 * calls run at a time: one write, and two that are reads or a step of compaction.
 */
export class Database {
  readonly file: string;
  readonly writer: DuckDBConnection;
  /** Whoever writes points notes them, so that queries give way. */
  readonly load: WriteLoad;
  readonly #compactor: DuckDBConnection;
  readonly #instance: DuckDBInstance;
  readonly #idleReaders: DuckDBConnection[];
  readonly #reads = new Slots({ limit: () => this.#limits().reads, maxWaiting: MAX_WAITING_READS });
  readonly #slots = new Slots({ limit: () => MAX_READS, maxWaiting: MAX_WAITING_READS });
  /** As many as DuckDB takes by itself, and as it was told last. */
  readonly #cores: number;
  #threads: number;

  readonly #held: HeldFile;
  #isCompactionInterrupted = false;
  /** The log of ours up to which the points are here, as of the last `savePosition`. */
  #syncFault: string | undefined;
  #position: number | undefined;
  /** False while the file knows no position without DuckDB's log. */
  #isPositionInFile = false;

  private constructor({ file, instance, connections, cores, clock }: Opened) {
    const [writer, compactor, ...readers] = connections;
    this.file = file;
    this.load = new WriteLoad(clock);
    this.#cores = cores;
    this.#threads = cores;
    this.#held = new HeldFile(file);
    this.#instance = instance;
    this.writer = writer!;
    this.#compactor = compactor!;
    this.#idleReaders = readers;
  }

  /** Opens or creates `store.duckdb` in the directory; a file of a newer layout is refused (`store_newer`). */
  static async open({ path, memoryBytes, clock, onCut }: OpenOptions): Promise<Database> {
    const directory = resolve(path);
    const file = join(directory, 'store.duckdb');
    if (openFiles.has(file)) throw new TidemarkError('data_dir_unusable', `${file} is already open`);
    openFiles.add(file);
    let instance: DuckDBInstance | undefined;
    try {
      mkdirSync(directory, { recursive: true });
      refuseLostStore(file);
      instance = await openRepaired({
        file,
        settings: settings(directory, memoryBytes),
        nowNs: () => clock.nowNs(),
        onCut,
      });
      const connections = [];
      for (let index = 0; index < 2 + MAX_READS; index++) connections.push(await instance.connect());
      const [threads] = await query(connections[0]!, "SELECT current_setting('threads')");
      const cores = Number(threads![0]);
      const database = new Database({ file, instance, connections, cores, clock });
      await database.#prepareLayout();
      await database.#loadPosition();
      markStore(file);
      niceComputeThreads();
      return database;
    } catch (error) {
      instance?.closeSync();
      openFiles.delete(file);
      throw openingError(file, error);
    }
  }

  /**
   * Runs a query on a reading connection, waiting for a free slot. The answer comes in chunks of some 2 000
   * rows, between which others get their turn on the main thread. What takes longer than `timeoutMs` fails as interrupted.
   */
  read(
    sql: string,
    parameters: Parameters,
    onChunk: (chunk: DuckDBDataChunk) => void,
    { timeoutMs }: { timeoutMs?: number | undefined } = {},
  ): Promise<void> {
    const readNow = async (): Promise<void> => {
      const connection = this.#idleReaders.pop()!;
      const timer = timeoutMs === undefined ? undefined : setTimeout(() => connection.interrupt(), timeoutMs);
      try {
        await this.#adaptThreads(connection);
        const result = await run(connection, sql, parameters);
        const { chunkCount } = result;
        let sinceMs = performance.now();
        for (let index = 0; index < chunkCount; index++) {
          // The rows are in memory: a trip through the thread pool for each chunk would take longer than its copy.
          onChunk(result.getChunk(index));
          if (performance.now() - sinceMs < TURN_MS) continue;
          await nextTurn();
          sinceMs = performance.now();
        }
      } finally {
        clearTimeout(timer);
        this.#idleReaders.push(connection);
      }
    };
    return this.#reads.run(() => this.#slots.run(readNow));
  }

  /** Runs a statement of compaction, in a slot that it shares with the reads. */
  compact(sql: string, parameters: Parameters = {}): Promise<Columns> {
    return this.#slots.run(async () => {
      if (this.#isCompactionInterrupted) throw new Error('compaction was interrupted');
      return (await run(this.#compactor, sql, parameters)).getColumns();
    });
  }

  /** Lets the running step of compaction fail and be rolled back, and every later one. */
  interruptCompaction(): void {
    this.#isCompactionInterrupted = true;
    this.#compactor.interrupt();
  }

  /** Runs `statements` of compaction in one transaction. */
  async compactAtomically(statements: () => Promise<void>): Promise<void> {
    await this.compact('BEGIN');
    try {
      await statements();
      await this.compact('COMMIT');
    } catch (error) {
      await this.#slots.run(() => query(this.#compactor, 'ROLLBACK')).catch(() => undefined);
      throw error;
    }
  }

  /** Runs a statement on the writing connection; the caller keeps writes apart. */
  write(sql: string): Promise<Columns> {
    return query(this.writer, sql);
  }

  /**
   * Moves DuckDB's log into the file when it is long, or `always`. Without room on the disk it is left as it is: a
   * checkpoint that fails invalidates the whole database. No write may be running. True when nothing is left in it.
   */
  async checkpoint({ always = false } = {}): Promise<boolean> {
    const logBytes = (await stat(`${this.file}.wal`).catch(() => undefined))?.size ?? 0;
    if (logBytes === 0) return true;
    if (this.#held.isHeldAt(logBytes)) return false;
    if (logBytes < MAX_LOG_BYTES && !always) return false;
    const { bavail, bsize } = await statfs(dirname(this.file));
    if (bavail * bsize < 2 * logBytes + SPARE_BYTES) return false;
    try {
      await this.write('CHECKPOINT');
      return true;
    } catch (error) {
      if (isSyncFailure(error)) this.#syncFault = messageOf(error);
      // Else another transaction is in the way, and a later call sees to it.
      if (isInvalidated(error)) throw error;
      return false;
    }
  }

  /** Bytes of the file and the log that hold something; free ones within the file are used again. */
  async usedBytes(): Promise<number> {
    let bytes = 0;
    await this.read('SELECT block_size * used_blocks FROM pragma_database_size()', {}, (chunk) => {
      bytes += Number(chunk.getColumnValues(0)[0]);
    });
    return bytes + ((await stat(`${this.file}.wal`).catch(() => undefined))?.size ?? 0);
  }

  /**
   * Checkpoints, and makes no other until what is answered is released. No write and no step of compaction may be
   * running. Rejects with a retryable `store_unavailable` when it cannot be done now.
   */
  async hold(): Promise<StoreSnapshot> {
    if (await this.checkpoint({ always: true })) return this.#held.hold();
    const message = 'the store cannot be brought up to date on the disk; is there room? Try again';
    throw new TidemarkError('store_unavailable', message, { retryable: true });
  }

  /** What an fsync of the file itself failed with; of the log's, its callers are told. */
  get syncFault(): string | undefined {
    return this.#syncFault;
  }

  /** The position saved last that is still here; undefined when none ever was. */
  get position(): number | undefined {
    return this.#position;
  }

  /**
   * Keeps a position, durably and behind all that was written before. The first goes into the file at once, so that
   * a file that has lost its log never looks like a new one.
   */
  async savePosition(position: number): Promise<void> {
    await this.write(`UPDATE position SET log_offset = ${position}`);
    this.#position = position;
    if (!this.#isPositionInFile) this.#isPositionInFile = await this.checkpoint({ always: true });
  }

  /** Keeps DuckDB from a checkpoint when it is closed: after a failure it may sync what must not be synced again. */
  async leaveLogAsItIs(): Promise<void> {
    await this.write('PRAGMA disable_checkpoint_on_shutdown').catch(() => undefined);
  }

  /** Closes the file once the running reads have ended; no write or compaction may be running. */
  async close(): Promise<void> {
    await this.#reads.drain();
    await this.#slots.drain();
    for (const connection of [this.writer, this.#compactor, ...this.#idleReaders]) connection.closeSync();
    this.#instance.closeSync();
    await this.#held.close();
    openFiles.delete(this.file);
  }

  #limits(): ReturnType<typeof computeLimits> {
    return computeLimits({ cores: this.#cores, isLoaded: this.load.isHeavy });
  }

  async #adaptThreads(connection: DuckDBConnection): Promise<void> {
    const { threads } = this.#limits();
    if (threads === this.#threads) return;
    this.#threads = threads;
    await connection.run(`SET threads = ${threads}`);
  }

  async #prepareLayout(): Promise<void> {
    const found = await this.write("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'layout'");
    if (found[0]?.[0] === 0n) {
      await this.write(`BEGIN; ${baseTables.join('; ')}; COMMIT`);
      return;
    }
    const version = Number((await this.write('SELECT max(version) FROM layout'))[0]?.[0]);
    if (version > LAYOUT_VERSION) {
      const message = `${this.file} was written by a newer Tidemark (layout ${version}, this one knows ${LAYOUT_VERSION})`;
      throw new TidemarkError('store_newer', message);
    }
    if (version === LAYOUT_VERSION) return;
    const since3 = version < 3 ? `${positionTable.join('; ')};` : '';
    await this.write(`BEGIN; ${since3} UPDATE layout SET version = ${LAYOUT_VERSION}; COMMIT`);
  }

  async #loadPosition(): Promise<void> {
    const saved = (await this.write('SELECT max(log_offset) FROM position'))[0]?.[0];
    this.#position = typeof saved === 'bigint' ? Number(saved) : undefined;
  }
}

/** True when an fsync has failed, now or before. */
export function isSyncFailure(error: unknown): boolean {
  return /fsync/i.test(messageOf(error));
}

/** True when DuckDB will do nothing more until it is opened anew. */
export function isInvalidated(error: unknown): boolean {
  return /^FATAL|database has been invalidated/.test(messageOf(error));
}

async function query(connection: DuckDBConnection, sql: string): Promise<Columns> {
  return (await connection.run(sql)).getColumns();
}

async function run(
  connection: DuckDBConnection,
  sql: string,
  parameters: Parameters,
): Promise<DuckDBMaterializedResult> {
  const entries = Object.entries(parameters);
  if (entries.length === 0) return connection.run(sql);
  const values = Object.fromEntries(entries.map(([name, [value]]) => [name, value]));
  const types = Object.fromEntries(entries.map(([name, [, type]]) => [name, type]));
  const prepared = await connection.prepare(sql);
  try {
    prepared.bind(values, types);
    return await prepared.run();
  } finally {
    prepared.destroySync();
  }
}

function settings(directory: string, memoryBytes: number): Record<string, string> {
  return {
    memory_limit: `${Math.ceil((memoryBytes * COUNTED_MEMORY) / 2 ** 20)}MiB`,
    temp_directory: join(directory, 'tmp'),
    // See `checkpoint`: DuckDB's own looks at no free space.
    wal_autocheckpoint: '1TB',
    // A table is sorted by filling it in order.
    preserve_insertion_order: 'true',
    // Joins with up to so many values skip row groups that have none of them. To compare 2 000 with each costs more than it saves.
    dynamic_or_filter_threshold: '512',
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
    enable_external_access: 'false',
  };
}
