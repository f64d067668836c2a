import type { TidemarkError } from '@tidemark/core';
import { EntryBlock } from './entry.ts';
import { RecordBuffer } from './record.ts';

/** With an error when the spool stopped before the disk took the record. */
export type Done = (error?: TidemarkError) => void;

/** What is written and fsynced at once. */
export interface Batch {
  buffer: RecordBuffer;
  block: EntryBlock;
  dones: Done[];
  /** When the first of its records came, on the monotonic clock. */
  sinceMs: number;
  holdsRefusal: boolean;
  /** The last stamp given in it, if any. */
  lastStampNs: bigint | undefined;
}

export function newBatch(): Batch {
  return {
    buffer: new RecordBuffer(256 * 1024),
    block: new EntryBlock(),
    dones: [],
    sinceMs: 0,
    holdsRefusal: false,
    lastStampNs: undefined,
  };
}

/** Its entries live on in the tail; the buffer is used again. */
export function clearBatch(batch: Batch): void {
  batch.buffer.clear();
  batch.block = new EntryBlock();
  batch.dones = [];
  batch.holdsRefusal = false;
  batch.lastStampNs = undefined;
}
