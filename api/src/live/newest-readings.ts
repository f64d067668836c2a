import type { LiveReading } from './match-readings.ts';

/** Series whose newest reading is kept for a client that is too slow; that of the one silent longest goes first. */
const MAX_SERIES = 1000;

/** What is left of the readings that a client was too slow for: how many there were, and the newest of each series. */
export class NewestReadings {
  readonly #bySeries = new Map<string, LiveReading>();
  #seen = 0;

  add(live: LiveReading): void {
    this.#seen += 1;
    const { sensor, location, values, timeNs } = live.reading;
    const series = JSON.stringify([sensor, location, ...values.map(([metric]) => metric)]);
    const known = this.#bySeries.get(series);
    // Set anew, it is the last one to go.
    this.#bySeries.delete(series);
    this.#bySeries.set(series, known !== undefined && known.reading.timeNs > timeNs ? known : live);
    if (this.#bySeries.size <= MAX_SERIES) return;
    for (const oldest of this.#bySeries.keys()) {
      this.#bySeries.delete(oldest);
      return;
    }
  }

  /** Readings that were seen and are not among the newest. */
  get skipped(): number {
    return this.#seen - this.#bySeries.size;
  }

  readings(): LiveReading[] {
    return [...this.#bySeries.values()];
  }
}
