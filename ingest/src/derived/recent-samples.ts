import type { Sample } from './definitions.ts';

/** Samples that are kept of a series: what comes out of order is rarely older. */
const KEPT = 8;

/** What the newest samples say of the one before another. */
type Before = { sample: Sample | undefined } | 'unknown';

/** The newest samples of a sensor, in the order of their times; all that there are from `floorNs` on. */
export class RecentSamples {
  readonly #samples: Sample[];
  #floorNs: bigint;

  /** `samples` in the order of time: all from `floorNs` on, −1 being the beginning. */
  constructor(samples: readonly Sample[], floorNs: bigint) {
    this.#samples = [...samples];
    this.#floorNs = floorNs;
  }

  /** Takes a sample in, in the place of one of its time; false when it is older than what is known. */
  add(sample: Sample): boolean {
    const { timeNs } = sample;
    if (timeNs < this.#floorNs) return false;
    const samples = this.#samples;
    let at = samples.length;
    while (at > 0 && samples[at - 1]!.timeNs >= timeNs) at--;
    samples.splice(at, samples[at]?.timeNs === timeNs ? 1 : 0, sample);
    return true;
  }

  /** The samples of these times and those that follow them, for each of which the one before has changed. */
  changedBy(timesNs: Pick<ReadonlySet<bigint>, 'has'>): Sample[] {
    const changed: Sample[] = [];
    const isOpen = new Set<string | undefined>();
    for (const sample of this.#samples) {
      const isTouched = timesNs.has(sample.timeNs);
      if (isTouched || isOpen.delete(sample.key)) changed.push(sample);
      if (isTouched) isOpen.add(sample.key);
    }
    return changed;
  }

  /** The newest sample before this one with its key, as far as `withinNs` goes back. */
  before({ timeNs, key }: Sample, withinNs: bigint): Before {
    for (let at = this.#samples.length - 1; at >= 0; at--) {
      const sample = this.#samples[at]!;
      if (sample.timeNs < timeNs && sample.key === key) return { sample };
    }
    return this.#floorNs <= timeNs - withinNs ? { sample: undefined } : 'unknown';
  }

  /** Forgets all but the newest. */
  trim(): void {
    if (this.#samples.length <= KEPT) return;
    this.#samples.splice(0, this.#samples.length - KEPT);
    this.#floorNs = this.#samples[0]!.timeNs;
  }
}
