import { setTimeout as delay } from 'node:timers/promises';
import { type ImportedRow, type Outcome, type Refusal, submit, TidemarkError } from '@tidemark/core';
import type { ApiParts } from '../parts.ts';

/** Batches that may wait for their fsync. */
const BATCHES_AHEAD = 4;
/** Refused rows that an answer tells of; the quarantine has all. */
const TOLD_ROWS = 100;
/** How long a batch is tried while the log takes nothing, before the sender is told to come again. */
const PATIENCE_MS = 60_000;
const RETRY_MS = 500;

interface RowIntakeParts extends Pick<ApiParts, 'acceptor' | 'clock'> {
  topic: string;
  /** Aborts when nobody waits for the answer any more. */
  signal: AbortSignal;
}

/** Gives the rows of a file to the acceptor, batch by batch, and gathers what became of them. */
export class RowIntake {
  readonly #parts: RowIntakeParts;
  readonly #waiting: Promise<void>[] = [];
  readonly #refused: Refusal[] = [];
  #accepted = 0;
  #refusedCount = 0;
  #fault: unknown;

  constructor(parts: RowIntakeParts) {
    this.#parts = parts;
  }

  /** Takes all batches; resolves when they are durable. Throws what reading them or the acceptor throws. */
  async take(batches: AsyncIterable<readonly ImportedRow[]>): Promise<void> {
    try {
      for await (const rows of batches) {
        if (this.#waiting.length >= BATCHES_AHEAD) await this.#waiting.shift();
        const accepted = this.#accept(rows);
        accepted.catch(() => {});
        this.#waiting.push(accepted);
      }
    } finally {
      // What was begun before a fault counts, too.
      const results = await Promise.allSettled(this.#waiting.splice(0));
      for (const result of results) if (result.status === 'rejected') this.#fault ??= result.reason;
    }
    if (this.#fault !== undefined) throw this.#fault;
  }

  /** What became of the rows so far. */
  get counts(): { accepted: number; refused: number; rejected: Refusal[] } {
    const rejected = this.#refused.sort((one, other) => one.index - other.index);
    return { accepted: this.#accepted, refused: this.#refusedCount, rejected };
  }

  async #accept(rows: readonly ImportedRow[]): Promise<void> {
    const { accepted, rejected } = await this.#submit(rows);
    this.#accepted += accepted;
    this.#refusedCount += rejected.length;
    this.#refused.push(...rejected.slice(0, TOLD_ROWS - this.#refused.length));
  }

  /** Waits while the log is full: the store is taking from it. */
  async #submit(rows: readonly ImportedRow[]): Promise<Outcome> {
    const { acceptor, topic, clock, signal } = this.#parts;
    const startMs = clock.monotonicMs();
    for (;;) {
      try {
        return await submit(acceptor, { source: 'import', topic, rows });
      } catch (error) {
        const mayHeal = error instanceof TidemarkError && error.retryable;
        if (!mayHeal || signal.aborted || clock.monotonicMs() - startMs > PATIENCE_MS) throw error;
        await delay(RETRY_MS, undefined, { signal }).catch(() => {});
      }
    }
  }
}
