/** Of one series; beyond it a window by time wants the query node. */
export const maxSamples = 10_000;

interface Sample {
  timeMs: number;
  value: number;
}

/** What a window holds: times in ms since 1970, values in the unit of the samples. */
export interface Aggregate {
  count: number;
  sum: number;
  mean: number;
  min: number;
  max: number;
  last: number;
  fromMs: number;
  toMs: number;
}

/** How far a window reaches back from its newest sample: a time (exclusive), or a number of samples. */
export type Reach = { lengthMs: number } | { size: number };

/** The samples of one series that a rolling window covers, by their own times. */
export class Series {
  readonly #reach: Reach;
  /** In order of time, one for each. */
  #samples: Sample[] = [];

  constructor(reach: Reach) {
    this.#reach = reach;
  }

  get newestMs(): number {
    return this.#samples.at(-1)?.timeMs ?? Number.NEGATIVE_INFINITY;
  }

  /**
   * Takes a sample in; one of the same time replaces the other. Throws when it is older than the window, and when
   * the window would hold more than 10 000.
   */
  add(timeMs: number, value: number): void {
    const after = this.#samples.findLastIndex((sample) => sample.timeMs <= timeMs) + 1;
    const before = this.#samples[after - 1];
    if (before?.timeMs === timeMs) {
      before.value = value;
      return;
    }
    if (this.#isTooOld(timeMs, after)) throw new Error('the value is older than the window');
    const samples = this.#samples.toSpliced(after, 0, { timeMs, value });
    const kept = this.#cut(samples);
    if (kept.length > maxSamples)
      throw new Error(`more than ${maxSamples} values in one window: make it shorter, or use a query`);
    this.#samples = kept;
  }

  aggregate(): Aggregate {
    const values = this.#samples.map(({ value }) => value);
    const sum = values.reduce((total, value) => total + value, 0);
    return {
      count: values.length,
      sum,
      mean: sum / values.length,
      min: values.reduce((least, value) => Math.min(least, value), Number.POSITIVE_INFINITY),
      max: values.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY),
      last: values.at(-1)!,
      fromMs: this.#samples[0]!.timeMs,
      toMs: this.newestMs,
    };
  }

  #isTooOld(timeMs: number, after: number): boolean {
    if ('lengthMs' in this.#reach) return timeMs <= this.newestMs - this.#reach.lengthMs;
    return after === 0 && this.#samples.length >= this.#reach.size;
  }

  #cut(samples: Sample[]): Sample[] {
    const reach = this.#reach;
    if ('size' in reach) return samples.slice(-reach.size);
    const newestMs = samples.at(-1)!.timeMs;
    const first = samples.findIndex(({ timeMs }) => timeMs > newestMs - reach.lengthMs);
    return samples.slice(first);
  }
}
