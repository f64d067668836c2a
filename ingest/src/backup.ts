import { copyFile, link, mkdir, open, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { backup as copyDatabase } from 'node:sqlite';
import {
  type BackupFile,
  type Backup as BackupPort,
  type BackupRun,
  backupEnd,
  backupHeader,
  type Clock,
  encodeBackupFile,
  formatTime,
  type Logger,
  TidemarkError,
} from '@tidemark/core';
import type { Engine, MetaDb, StoreSnapshot } from '@tidemark/store';
import type { BatchWriter } from './batch-writer.ts';
import { baseOfFileName, readFully, segmentPath } from './spool/segment.ts';
import type { Spool } from './spool/spool.ts';

/** Read at once: large enough for the disk, small enough for the event loop. */
const CHUNK_BYTES = 1024 * 1024;

interface BackupOptions {
  /** Absolute. */
  dataDir: string;
  engine: Engine;
  meta: MetaDb;
  spool: Spool;
  writer: Pick<BatchWriter, 'betweenSaved'>;
  clock: Clock;
  logger: Logger;
}

/** A file of a backup, and where its bytes come from. */
interface Source extends BackupFile {
  read(): AsyncIterable<Uint8Array>;
}

/**
 * Copies what the platform holds while it runs: the store's file as of a checkpoint, the log from there on, and
 * meta.db. Between two batches the store is brought up to its cursor and held, and the log's segments are given a
 * second name, so that none of them can go; then everything runs on. What was acknowledged before is in the store's
 * file or in the log, so that a restored platform writes the rest again, to no effect where it is there.
 */
export class Backup implements BackupPort {
  readonly #options: BackupOptions;
  readonly #folder: string;
  #isRunning = false;

  constructor(options: BackupOptions) {
    this.#options = options;
    this.#folder = join(options.dataDir, 'backup');
  }

  /** Removes what a backup left that was cut short. */
  async start(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }

  async begin(): Promise<BackupRun> {
    if (this.#isRunning) throw new TidemarkError('conflict', 'a backup is being made; wait until it is done');
    this.#isRunning = true;
    const startNs = this.#options.clock.nowNs();
    let snapshot: StoreSnapshot | undefined;
    const close = async () => {
      if (!this.#isRunning) return;
      snapshot?.release();
      await rm(this.#folder, { recursive: true, force: true });
      this.#isRunning = false;
    };
    try {
      const links = join(this.#folder, 'spool');
      await mkdir(links, { recursive: true, mode: 0o700 });
      const { writer, engine, meta, spool } = this.#options;
      const cursors = await writer.betweenSaved(async () => {
        snapshot = await engine.snapshot();
        await this.#linkSegments(links);
        return readFile(join(this.#options.dataDir, 'spool', 'cursors.json')).catch(ifMissing);
      });
      const metaCopy = join(this.#folder, 'meta.db');
      await copyDatabase(meta, metaCopy);
      // Behind all that meta.db knows to have been in the log.
      const { endOffset } = spool;
      await this.#linkSegments(links);
      const sources = [
        ...(cursors === undefined ? [] : [bytesSource('spool/cursors.json', cursors)]),
        ...(await segmentSources(links, endOffset)),
        fileSource('meta.db', metaCopy, (await stat(metaCopy)).size),
        storeSource(snapshot!),
      ];
      return { chunks: () => this.#chunks(startNs, sources, close), close };
    } catch (error) {
      await close();
      throw error;
    }
  }

  async *#chunks(
    startNs: bigint,
    sources: readonly Source[],
    close: () => Promise<void>,
  ): AsyncGenerator<Uint8Array> {
    const { clock, logger } = this.#options;
    let sentBytes = 0;
    try {
      yield backupHeader(formatTime(startNs));
      for (const source of sources) {
        for await (const chunk of encodeBackupFile(source, source.read())) {
          sentBytes += chunk.length;
          yield chunk;
        }
      }
      yield backupEnd(sources.length);
      const tookMs = Number(clock.nowNs() - startNs) / 1e6;
      logger.info({ bytes: sentBytes, tookMs: Math.round(tookMs) }, 'a backup was made');
    } finally {
      await close();
    }
  }

  /** A link costs nothing and lets nobody's removal take the file away; where there are none, it is copied. */
  async #linkSegments(to: string): Promise<void> {
    const from = join(this.#options.dataDir, 'spool');
    for (const name of await readdir(from)) {
      if (baseOfFileName(name) === undefined) continue;
      await link(join(from, name), join(to, name)).catch(async (error: NodeJS.ErrnoException) => {
        // Linked before, or gone since it was listed: then all have read it.
        if (error.code === 'EEXIST' || error.code === 'ENOENT') return;
        await copyFile(join(from, name), join(to, name));
      });
    }
  }
}

/** The log's segments, up to what is durable. */
async function segmentSources(folder: string, endOffset: number): Promise<Source[]> {
  const bases = (await readdir(folder)).flatMap((name) => baseOfFileName(name) ?? []);
  const sources: Source[] = [];
  for (const base of bases.sort((a, b) => a - b)) {
    const path = segmentPath(folder, base);
    const bytes = Math.min((await stat(path)).size, endOffset - base);
    if (bytes > 0) sources.push(fileSource(`spool/${path.slice(folder.length + 1)}`, path, bytes));
  }
  return sources;
}

function bytesSource(path: string, data: Uint8Array): Source {
  return {
    path,
    bytes: data.length,
    read: async function* () {
      yield data;
    },
  };
}

function fileSource(path: string, file: string, bytes: number): Source {
  return {
    path,
    bytes,
    read: async function* () {
      const handle = await open(file, 'r');
      try {
        for (let at = 0; at < bytes; at += CHUNK_BYTES)
          yield await readFully(handle, at, Math.min(CHUNK_BYTES, bytes - at));
      } finally {
        await handle.close();
      }
    },
  };
}

function storeSource(snapshot: StoreSnapshot): Source {
  const { bytes } = snapshot;
  return {
    path: 'store/store.duckdb',
    bytes,
    read: async function* () {
      for (let at = 0; at < bytes; at += CHUNK_BYTES)
        yield await snapshot.read(at, Math.min(CHUNK_BYTES, bytes - at));
    },
  };
}

function ifMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}
