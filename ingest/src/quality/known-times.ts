import { mix } from '../mix.ts';

/** How many readings' identities are remembered; 8 bytes each. A power of two. */
const SLOTS = 1 << 20;

/**
 * Recognizes a time that a metric of a sensor was told before. Bounded: a table of 64-bit fingerprints in
 * which a newer one may take the place of an older, so that it knows about the last million. One it no longer
 * knows is missed; a wrong match needs two of 2^64 alike.
 */
export class KnownTimes {
  /** Two words a slot, side by side: the table is larger than the processor's caches. */
  readonly #words = new Uint32Array(2 * SLOTS);

  /**
   * Remembers the time, told in two words; true when it was known. Sensor and metric are told by numbers that stay
   * theirs. A time `isNewest` when it is after all that the sensor was told before: then nothing is looked up, which takes most
   * of the time.
   */
  add(sensor: number, metric: number, timeHigh: number, timeLow: number, isNewest: boolean): boolean {
    const series = Math.imul(sensor, 0x9e37_79b1) ^ Math.imul(metric, 0x85eb_ca77);
    const low = mix(timeLow ^ series ^ Math.imul(timeHigh, 0xc2b2_ae3d)) >>> 0;
    // Never 0, which stands for an empty slot.
    const high =
      ((mix(Math.imul(series, 0x27d4_eb2f) ^ timeHigh) ^ Math.imul(timeLow, 0x1656_67b1)) | 1) >>> 0;
    const slot = 2 * (low & (SLOTS - 1));
    const words = this.#words;
    if (!isNewest && words[slot] === low && words[slot + 1] === high) return true;
    words[slot] = low;
    words[slot + 1] = high;
    return false;
  }
}
