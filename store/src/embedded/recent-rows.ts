import type { DuckDBValue } from '@duckdb/node-api';
import type { FieldType } from '@tidemark/core';
import type { LostTimes } from './lost-times.ts';
import type { StagedRows } from './staged-rows.ts';

/** Longer texts are not kept. */
const MAX_TEXT_LENGTH = 64;
/** Rows that are looked at for one, where the others happen to have the same hash. */
const MAX_LOOKS = 64;

interface RecentRowsOptions {
  type: FieldType;
  /** A power of two. */
  capacity: number;
  /** Told of rows that are not here, or are not any more. */
  lost: LostTimes;
}

/**
 * The rows of one type that were written last, by series and time. To write costs a copy: what finds them is brought
 * up to date by whoever looks. It is a table of hashes whose rows are chained from the newest to the oldest; a chain
 * ends where a row is not older than the one before it, for then its place has been used again.
 */
export class RecentRows {
  readonly #lost: LostTimes;
  readonly #mask: number;
  readonly #series: Int32Array;
  readonly #times: BigInt64Array;
  /** The times in halves, the lower one first. */
  readonly #words: Int32Array;
  readonly #values: Float64Array | DuckDBValue[];
  /** Rows written, and those of them that were put into the chains. */
  #written = 0;
  #chained = 0;
  /** By hash, and by row: the next row of the chain, counted from 1; 0 ends it. */
  readonly #heads: Int32Array;
  readonly #next: Int32Array;

  constructor({ type, capacity, lost }: RecentRowsOptions) {
    this.#lost = lost;
    this.#mask = capacity - 1;
    this.#series = new Int32Array(capacity);
    this.#times = new BigInt64Array(capacity);
    this.#words = new Int32Array(this.#times.buffer);
    this.#values = type === 'float' ? new Float64Array(capacity) : [];
    this.#heads = new Int32Array(capacity);
    this.#next = new Int32Array(capacity);
  }

  /** Takes rows in the order in which they replace each other. */
  add(rows: StagedRows): void {
    const capacity = this.#mask + 1;
    for (let from = 0; from < rows.length; ) {
      const at = this.#written & this.#mask;
      const to = Math.min(rows.length, from + capacity - at);
      if (this.#written >= capacity) this.#lose(at, at + to - from);
      this.#series.set(rows.series.subarray(from, to), at);
      this.#times.set(rows.times.subarray(from, to), at);
      this.#setValues(rows.values, from, to, at);
      this.#written += to - from;
      from = to;
    }
  }

  /** Puts up to `most` rows into the chains; true when there are more. */
  chain(most = Number.POSITIVE_INFINITY): boolean {
    const first = Math.max(this.#chained, this.#written - this.#mask - 1);
    const end = Math.min(this.#written, first + most);
    for (let count = first; count < end; count++) {
      const row = count & this.#mask;
      const hash = this.#hashOf(this.#series[row]!, this.#words[2 * row]!, this.#words[2 * row + 1]!);
      this.#next[row] = this.#heads[hash]!;
      this.#heads[hash] = row + 1;
    }
    this.#chained = end;
    return end < this.#written;
  }

  /** The value written last; null where none was among these rows, undefined where that takes too long to say. */
  find(series: number, timeNs: bigint): DuckDBValue | undefined {
    this.chain();
    const low = Number(BigInt.asIntN(32, timeNs));
    const high = Number(timeNs >> 32n);
    let age = -1;
    let row = this.#heads[this.#hashOf(series, low, high)]! - 1;
    for (let looks = 0; row >= 0 && this.#ageOf(row) > age; looks++) {
      if (looks === MAX_LOOKS) return undefined;
      if (this.#series[row] === series && this.#words[2 * row] === low && this.#words[2 * row + 1] === high)
        return this.#values[row]!;
      age = this.#ageOf(row);
      row = this.#next[row]! - 1;
    }
    return null;
  }

  #ageOf(row: number): number {
    return (this.#written - 1 - row) & this.#mask;
  }

  #hashOf(series: number, low: number, high: number): number {
    const mixed = Math.imul(series, 0x9e3779b1) ^ Math.imul(low, 0x85ebca77) ^ Math.imul(high, 0xc2b2ae3d);
    return Math.imul(mixed ^ (mixed >>> 15), 0x27d4eb2f) >>> Math.clz32(this.#mask);
  }

  #setValues(values: Float64Array | DuckDBValue[], from: number, to: number, at: number): void {
    if (this.#values instanceof Float64Array) {
      this.#values.set((values as Float64Array).subarray(from, to), at);
      return;
    }
    for (let index = from; index < to; index++) {
      const row = at + index - from;
      const value = values[index]!;
      const isLong = typeof value === 'string' && value.length > MAX_TEXT_LENGTH;
      this.#values[row] = isLong ? null : value;
      if (isLong) this.#lose(row, row + 1);
    }
  }

  #lose(first: number, end: number): void {
    this.#lost.lose(this.#series, this.#words, first, end);
  }
}
