import { type Clock, type Logger, quarantineBounds } from '@tidemark/core';
import { Outage } from '../outage.ts';
import type { QuarantineStore } from './quarantine-store.ts';

/** How often items go for their age although nothing is added. */
const EVICT_EVERY_MS = 10_000;
/** How often at most the log tells of what had to go. */
const TELL_EVERY_MS = 60_000;

interface EvictionOptions {
  store: QuarantineStore;
  clock: Clock;
  logger: Logger;
}

/** Drops what the quarantine keeps too long, and tells of all that had to go for one of its bounds. */
export class Eviction {
  readonly #options: EvictionOptions;
  readonly #outage: Outage;
  #timer: NodeJS.Timeout | undefined;
  #told: QuarantineStore['evicted'];
  #toldAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: EvictionOptions) {
    this.#options = options;
    this.#told = { ...options.store.evicted };
    this.#outage = new Outage({
      ...options,
      figures: () => ({}),
      texts: {
        begun: 'old items of the quarantine could not be removed; it is tried again',
        lasting: 'old items of the quarantine still could not be removed',
        ended: 'old items of the quarantine are removed again',
      },
    });
  }

  start(): void {
    this.#timer = setInterval(() => this.#evict(), EVICT_EVERY_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#tell();
    this.#outage.stop();
  }

  #evict(): void {
    const { store, clock } = this.#options;
    try {
      store.evict();
      this.#outage.ended();
    } catch (error) {
      this.#outage.failed(error);
    }
    if (clock.monotonicMs() - this.#toldAtMs >= TELL_EVERY_MS) this.#tell();
  }

  #tell(): void {
    const { store, clock, logger } = this.#options;
    const dropped = quarantineBounds
      .map((bound) => [bound, store.evicted[bound] - this.#told[bound]] as const)
      .filter(([, count]) => count > 0);
    if (dropped.length === 0) return;
    const figures = { dropped: Object.fromEntries(dropped), kept: store.count() };
    logger.warn(figures, 'the oldest items of the quarantine were dropped: it is past its bounds');
    this.#told = { ...store.evicted };
    this.#toldAtMs = clock.monotonicMs();
  }
}
