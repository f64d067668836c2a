import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { messageOf } from '@tidemark/core';

/** Of DuckDB 1.5: the position is behind the size and the checksum of the entry, eight bytes each. */
const badEntry = /Corrupt WAL file: entry at byte position (\d+)/;
const ENTRY_HEADER_BYTES = 16;

/** What was cut off the log, and where its bytes are kept. */
export interface LogCut {
  bytes: number;
  keptAt: string;
  reason: string;
}

interface OpenOptions {
  file: string;
  settings: Record<string, string>;
  /** Makes names of what is kept. */
  nowNs: () => bigint;
  onCut: (cut: LogCut) => void;
}

/**
 * Opens the database. A log that DuckDB cannot replay to its end is cut at the first entry that is damaged; what
 * lies behind is kept in `damaged/` beside it.
 *
 * After a power cut this loses nothing that a COMMIT has answered for: each ends with an fsync of the log, so that
 * holes can only lie behind the last that had returned. DuckDB itself passes over a log that ends too early, but
 * takes holes, which file systems leave too, for damage. Whether other damage cost something shows in the position
 * that `sync` keeps in the database.
 */
export async function openRepaired({ file, settings, nowNs, onCut }: OpenOptions): Promise<DuckDBInstance> {
  for (;;) {
    try {
      return await DuckDBInstance.create(file, settings);
    } catch (error) {
      const reason = messageOf(error).split('\n')[0]!;
      const start = Number(badEntry.exec(reason)?.[1]) - ENTRY_HEADER_BYTES;
      const log = `${file}.wal`;
      const size = statSync(log, { throwIfNoEntry: false })?.size ?? 0;
      // Each turn makes the log shorter.
      if (!(start >= 0 && start < size)) throw error;
      const keptAt = join(dirname(file), 'damaged', `${nowNs()}-${start}.wal`);
      keep(log, start, size, keptAt);
      cutOff(log, start);
      onCut({ bytes: size - start, keptAt, reason });
    }
  }
}

function keep(log: string, start: number, end: number, keptAt: string): void {
  const bytes = Buffer.alloc(end - start);
  const from = openSync(log, 'r');
  try {
    readSync(from, bytes, 0, bytes.length, start);
  } finally {
    closeSync(from);
  }
  mkdirSync(dirname(keptAt), { recursive: true });
  const to = openSync(keptAt, 'wx');
  try {
    writeSync(to, bytes);
    fsyncSync(to);
  } finally {
    closeSync(to);
  }
}

function cutOff(log: string, sizeBytes: number): void {
  truncateSync(log, sizeBytes);
  const descriptor = openSync(log, 'r+');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
