/** The newest time of each series, by its id, among points that are not at hand any more; 0 or later for those of none. */
export class LostTimes {
  #times: BigInt64Array;
  /** The times in halves, the lower one first. */
  #words: Int32Array;

  constructor(times: BigInt64Array) {
    this.#times = times;
    this.#words = new Int32Array(times.buffer);
  }

  of(series: number): bigint {
    return this.#times[series] ?? 0n;
  }

  /** Loses rows, given by their columns: those from `first` on and before `end`. */
  lose(ids: Int32Array, times: Int32Array, first: number, end: number): void {
    let words = this.#words;
    for (let row = first; row < end; row++) {
      const at = 2 * ids[row]!;
      if (at >= words.length) words = this.#grow(at);
      const low = times[2 * row]!;
      const high = times[2 * row + 1]!;
      const lostHigh = words[at + 1]!;
      if (high < lostHigh || (high === lostHigh && low >>> 0 <= words[at]! >>> 0)) continue;
      words[at] = low;
      words[at + 1] = high;
    }
  }

  #grow(words: number): Int32Array {
    const times = new BigInt64Array(Math.max(words / 2 + 1, 2 * this.#times.length));
    times.set(this.#times);
    this.#times = times;
    this.#words = new Int32Array(times.buffer);
    return this.#words;
  }
}
