import type { Journal, JournalEntry } from '@tidemark/core';
import { holdsPoints } from './spool/record.ts';
import type { Spool } from './spool/spool.ts';

const READ_BYTES = 256 * 1024;

/** The log as live readers see it: accepted points, from any offset. */
export class SpoolJournal implements Journal {
  readonly #spool: Spool;

  constructor(spool: Spool) {
    this.#spool = spool;
  }

  get firstOffset(): number {
    return this.#spool.firstOffset;
  }

  get endOffset(): number {
    return this.#spool.endOffset;
  }

  async *read(offset: number, signal: AbortSignal): AsyncGenerator<readonly JournalEntry[]> {
    let position = offset;
    while (!signal.aborted) {
      const { entries, nextOffset } = await this.#spool.take(position, READ_BYTES);
      const points = entries.filter(({ kind }) => holdsPoints(kind));
      if (points.length > 0) yield points;
      position = Math.max(nextOffset, position);
      await this.#spool.waitBeyond(position, signal);
      if (this.#spool.isStopping) return;
    }
  }
}
