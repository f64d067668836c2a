/** How many readings' identities are remembered; 8 bytes each. A power of two. */
const SLOTS = 1 << 20;

/**
 * Recognizes a time that a metric of a sensor was told before. Bounded: a table of 64-bit fingerprints in
 * which a newer one may take the place of an older, so that it knows about the last million. One it no longer
 * knows is missed; a wrong match needs two of 2^64 alike.
 */
export class KnownTimes {
  readonly #low = new Uint32Array(SLOTS);
  readonly #high = new Uint32Array(SLOTS);
  readonly #timeNs = new BigInt64Array(1);
  readonly #timeWords = new Uint32Array(this.#timeNs.buffer);

  /** Remembers the time; true when it was known. Sensor and metric are told by numbers that stay theirs. */
  add(sensor: number, metric: number, timeNs: bigint): boolean {
    this.#timeNs[0] = timeNs;
    const [timeLow, timeHigh] = [this.#timeWords[0]!, this.#timeWords[1]!];
    const series = mix(Math.imul(sensor, 0x9e37_79b1) ^ metric);
    const low = mix(mix(timeLow ^ series) + timeHigh);
    // Never 0, which stands for an empty slot.
    const high = (mix(mix(timeHigh + Math.imul(sensor, 0x85eb_ca77)) ^ timeLow ^ (metric << 16)) | 1) >>> 0;
    const slot = low & (SLOTS - 1);
    if (this.#low[slot] === low >>> 0 && this.#high[slot] === high) return true;
    this.#low[slot] = low;
    this.#high[slot] = high;
    return false;
  }
}

/** The finalizer of MurmurHash3: each bit of the input changes half of those that come out. */
function mix(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
  return hash ^ (hash >>> 16);
}
