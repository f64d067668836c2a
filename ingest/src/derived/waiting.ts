import type { PairDefinition, Sample } from './definitions.ts';

/** A sensor under a definition whose readings wait for the store. */
export interface WaitingSeries {
  readonly definition: PairDefinition;
  readonly sensor: string;
  /** By time. */
  samples: Map<bigint, WaitingSample>;
  /** Where the first of them stands in the log, or the first of those that are looked up now. */
  offset: number;
}

interface WaitingSample {
  sample: Sample;
  isLate: boolean;
}

/** Readings of which only the store knows what came before them. */
export class Waiting {
  readonly #series = new Map<string, WaitingSeries>();
  #samples = 0;

  get samples(): number {
    return this.#samples;
  }

  get size(): number {
    return this.#series.size;
  }

  has(id: string): boolean {
    return this.#series.has(id);
  }

  /** Where the oldest of them stands in the log; Infinity when there are none. */
  get firstOffset(): number {
    let first = Number.POSITIVE_INFINITY;
    for (const { offset } of this.#series.values()) first = Math.min(first, offset);
    return first;
  }

  add(
    id: string,
    { definition, sensor, offset }: Omit<WaitingSeries, 'samples'>,
    { sample, isLate }: WaitingSample,
  ): void {
    let series = this.#series.get(id);
    if (series === undefined) {
      series = { definition, sensor, samples: new Map(), offset };
      this.#series.set(id, series);
    }
    const before = series.samples.size;
    series.samples.set(sample.timeNs, { sample, isLate });
    this.#samples += series.samples.size - before;
  }

  /** The first of them, which still wait. */
  first(limit: number): [id: string, WaitingSeries][] {
    return this.#series.entries().take(limit).toArray();
  }

  /** Takes a series out, with what has come for it since it was looked up. */
  remove(id: string, lookedUp: ReadonlyMap<bigint, unknown>): WaitingSample[] {
    const series = this.#series.get(id);
    if (series === undefined) return [];
    this.#series.delete(id);
    this.#samples -= series.samples.size;
    return [...series.samples.values()].filter((one) => lookedUp.get(one.sample.timeNs) !== one);
  }

  clear(): void {
    this.#series.clear();
    this.#samples = 0;
  }
}
