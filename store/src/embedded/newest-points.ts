import type { FieldValue } from '@tidemark/core';

const FIRST_CAPACITY = 1024;

/** Before every time: that of a series that holds no point. */
const NO_TIME_NS = -(2n ** 63n) - 1n;

/**
 * The newest point of each series, by its id. Columns of numbers: writes go through all series over and over, and an
 * object for each time and value is garbage as soon as the next point comes.
 */
export class NewestPoints {
  #isThere = new Uint8Array(FIRST_CAPACITY);
  #times = new BigInt64Array(FIRST_CAPACITY);
  /** The times in halves, the lower one first. */
  #words = new Int32Array(this.#times.buffer);
  #floats = new Float64Array(FIRST_CAPACITY);
  readonly #others = new Map<number, FieldValue>();

  /** Makes room for a series without a point. */
  add(id: number): void {
    if (id < this.#times.length) return;
    const capacity = Math.max(id + 1, 2 * this.#times.length);
    this.#isThere = copyInto(new Uint8Array(capacity), this.#isThere);
    this.#floats = copyInto(new Float64Array(capacity), this.#floats);
    const times = new BigInt64Array(capacity);
    times.set(this.#times);
    this.#times = times;
    this.#words = new Int32Array(times.buffer);
  }

  /** A copy of the times, by id; 0 for a series without a point. */
  times(): BigInt64Array {
    return this.#times.slice();
  }

  timeOf(id: number): bigint {
    return this.#isThere[id] === 0 ? NO_TIME_NS : this.#times[id]!;
  }

  /** 0 for a series without a point. */
  valueOf(id: number): FieldValue {
    return this.#others.get(id) ?? this.#floats[id]!;
  }

  /** Takes a point with a float that is at the newest time of its series or behind it; says whether it is behind. */
  offerFloat(id: number, low: number, high: number, value: number): boolean {
    const words = this.#words;
    const newestHigh = words[2 * id + 1]!;
    const newestLow = words[2 * id]! >>> 0;
    const isNewer = this.#isThere[id] === 0 || high > newestHigh || (high === newestHigh && low > newestLow);
    if (!isNewer && (high !== newestHigh || low !== newestLow)) return false;
    this.#isThere[id] = 1;
    words[2 * id] = low;
    words[2 * id + 1] = high;
    this.#floats[id] = value;
    return isNewer;
  }

  /** As `offerFloat`, for a value of any type. */
  offer(id: number, timeNs: bigint, value: FieldValue): boolean {
    const newestNs = this.timeOf(id);
    if (timeNs < newestNs) return false;
    this.#isThere[id] = 1;
    this.#times[id] = timeNs;
    if (typeof value === 'number') this.#floats[id] = value;
    else this.#others.set(id, value);
    return timeNs > newestNs;
  }
}

function copyInto<Column extends Uint8Array | Float64Array>(larger: Column, column: Column): Column {
  larger.set(column);
  return larger;
}
