import type { Clock } from '@tidemark/core';

/** Points a second from which on writes are taken to come in without a pause. */
const HEAVY_PER_SECOND = 500;
const LOOK_INTERVAL_MS = 1000;
/** Batches may wait for compaction for seconds, and each change costs DuckDB its threads. */
const HOLD_MS = 10_000;

/** Tells whether many points are coming in. */
export class WriteLoad {
  readonly #clock: Clock;
  #points = 0;
  #sinceMs: number;
  #heavyUntilMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#sinceMs = clock.monotonicMs();
  }

  get isHeavy(): boolean {
    return this.#clock.monotonicMs() < this.#heavyUntilMs;
  }

  /** Told of every batch. */
  note(points: number): void {
    const nowMs = this.#clock.monotonicMs();
    const elapsedMs = nowMs - this.#sinceMs;
    this.#points += points;
    if (elapsedMs < LOOK_INTERVAL_MS) return;
    if ((this.#points * 1000) / elapsedMs >= HEAVY_PER_SECOND) this.#heavyUntilMs = nowMs + HOLD_MS;
    this.#points = 0;
    this.#sinceMs = nowMs;
  }
}
