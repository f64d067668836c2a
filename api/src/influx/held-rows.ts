import { TidemarkError } from '@tidemark/core';

/** Some 100 bytes each. */
const MAX_HELD_ROWS = 1_000_000;

/** Counts the rows of answers that are in memory until they are sent, and lets there be only so many. */
export class HeldRows {
  #count = 0;

  /** Answers how to give them up. Throws a retryable `unavailable` when others hold too many. */
  take(rows: number): () => void {
    if (this.#count > 0 && this.#count + rows > MAX_HELD_ROWS) {
      const message = `${this.#count} rows of other answers are waiting to be sent`;
      throw new TidemarkError('unavailable', message, { retryable: true });
    }
    this.#count += rows;
    let isHeld = true;
    return () => {
      if (isHeld) this.#count -= rows;
      isHeld = false;
    };
  }
}
