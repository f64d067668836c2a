import type { Outcome, Refusal } from '@tidemark/core';

/** What becomes of a message that is still read; nothing until it is known. */
export class PendingOutcome implements Outcome {
  #known: Outcome | undefined;

  become(outcome: Outcome): void {
    this.#known = outcome;
  }

  get accepted(): number {
    return this.#known?.accepted ?? 0;
  }

  get ids(): readonly string[] {
    return this.#known?.ids ?? [];
  }

  get rejected(): readonly Refusal[] {
    return this.#known?.rejected ?? [];
  }
}
