import { TidemarkError } from '@tidemark/core';

/**
 * Lets at most `limit()` calls run at a time, which may change; the others wait in order, at most `maxWaiting` of them.
 * Node's thread pool has four threads and the spool's fdatasync needs one of them whatever queries do.
 */
export class Slots {
  readonly #limit: () => number;
  readonly #maxWaiting: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  #whenDrained: (() => void) | undefined;

  constructor({ limit, maxWaiting }: { limit: () => number; maxWaiting: number }) {
    this.#limit = limit;
    this.#maxWaiting = maxWaiting;
  }

  /** Runs `task` when a slot is free; rejects with a retryable `unavailable` when too many wait already. */
  async run<T>(task: () => Promise<T>): Promise<T> {
    await this.#enter();
    try {
      return await task();
    } finally {
      this.#leave();
    }
  }

  /** Refuses new calls from now on; resolves when the running and waiting ones have ended. Called once. */
  async drain(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#whenDrained = resolve;
      if (this.#running === 0) resolve();
    });
  }

  async #enter(): Promise<void> {
    if (this.#whenDrained !== undefined) {
      throw new TidemarkError('unavailable', 'the store is closing', { retryable: true });
    }
    if (this.#running < this.#limit() && this.#waiting.length === 0) {
      this.#running += 1;
      return;
    }
    if (this.#waiting.length >= this.#maxWaiting) {
      throw new TidemarkError('unavailable', `more than ${this.#maxWaiting} queries are waiting`, {
        retryable: true,
      });
    }
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** A slot goes straight to the one who waited longest, so that nobody overtakes. The last always leaves one. */
  #leave(): void {
    this.#running -= 1;
    while (this.#waiting.length > 0 && this.#running < this.#limit()) {
      this.#running += 1;
      this.#waiting.shift()!();
    }
    if (this.#running === 0) this.#whenDrained?.();
  }
}
