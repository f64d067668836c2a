import { setTimeout as sleep } from 'node:timers/promises';

// setTimeout counts in 31 bits of milliseconds and fires at once beyond them.
const longestTimerMs = 2 ** 31 - 1;

/** Resolves when `performance.now()` has reached `dueMs`, or when the signal aborts. */
export async function sleepUntil(dueMs: number, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const waitMs = dueMs - performance.now();
    if (waitMs <= 0) return;
    await sleep(Math.min(waitMs, longestTimerMs), undefined, { signal }).catch(() => undefined);
  }
}

/** Holds rows back to the pace of the recording; a row whose time lies behind goes at once. */
export class Pace {
  readonly #speed: number;
  #first: { timeNs: bigint; ms: number } | undefined;

  constructor(speed: number) {
    this.#speed = speed;
  }

  async until(timeNs: bigint, signal: AbortSignal): Promise<void> {
    if (this.#speed === Number.POSITIVE_INFINITY) return;
    this.#first ??= { timeNs, ms: performance.now() };
    const dueMs = this.#first.ms + Number(timeNs - this.#first.timeNs) / 1e6 / this.#speed;
    await sleepUntil(dueMs, signal);
  }
}
