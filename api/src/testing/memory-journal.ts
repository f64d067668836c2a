import type { Journal, JournalEntry, Point } from '@tidemark/core';

const entryBytes = 100;

/** A journal in memory whose entries are 100 bytes each; batches hold at most `batchEntries`. */
export class MemoryJournal implements Journal {
  readonly #entries: JournalEntry[] = [];
  readonly #batchEntries: number;
  #firstOffset = 0;
  #endOffset = 0;
  #wake: () => void = () => {};

  constructor({ batchEntries = 100 } = {}) {
    this.#batchEntries = batchEntries;
  }

  get firstOffset(): number {
    return this.#firstOffset;
  }

  get endOffset(): number {
    return this.#endOffset;
  }

  append(points: readonly Point[], isLate = false): void {
    const offset = this.#endOffset;
    this.#endOffset = offset + entryBytes;
    this.#entries.push({ offset, nextOffset: this.#endOffset, acceptedNs: 0n, isLate, points });
    this.#wake();
  }

  /** Forgets the entries before an offset. */
  reclaim(offset: number): void {
    this.#firstOffset = offset;
  }

  async *read(start: number, signal: AbortSignal): AsyncGenerator<readonly JournalEntry[]> {
    let offset = start;
    while (!signal.aborted) {
      const from = Math.max(offset, this.#firstOffset);
      const first = Math.ceil(from / entryBytes);
      const batch = this.#entries.slice(first, first + this.#batchEntries);
      if (batch.length === 0) {
        await this.#change(signal);
        continue;
      }
      offset = batch.at(-1)!.nextOffset;
      yield batch;
    }
  }

  #change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const before = this.#wake;
      const wake = () => {
        signal.removeEventListener('abort', wake);
        before();
        resolve();
      };
      this.#wake = wake;
      signal.addEventListener('abort', wake, { once: true });
    });
  }
}
