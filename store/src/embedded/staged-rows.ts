import type { DuckDBValue } from '@duckdb/node-api';
import { type FieldType, type FieldValue, Uint64 } from '@tidemark/core';
import type { ArrivalTable } from './layout.ts';

const FIRST_CAPACITY = 1024;

/** Rows on their way to a table, by column; it grows, and is used again. */
export class StagedRows {
  readonly type: FieldType;
  length = 0;
  series = new Int32Array(FIRST_CAPACITY);
  times = new BigInt64Array(FIRST_CAPACITY);
  /** The times in halves, the lower one first. */
  #words = new Int32Array(this.times.buffer);
  #floats: Float64Array;
  #others: DuckDBValue[] = [];
  /** Rows with the least and the greatest time. */
  #first = 0;
  #last = 0;

  constructor(type: FieldType) {
    this.type = type;
    this.#floats = new Float64Array(type === 'float' ? FIRST_CAPACITY : 0);
  }

  get values(): Float64Array | DuckDBValue[] {
    return this.type === 'float' ? this.#floats : this.#others;
  }

  /** A float, with the halves of its time. */
  pushFloat(series: number, low: number, high: number, value: number): void {
    const row = this.#pushSeries(series);
    this.#words[2 * row] = low;
    this.#words[2 * row + 1] = high;
    this.#floats[row] = value;
    if (this.#isBefore(row, this.#first)) this.#first = row;
    if (this.#isBefore(this.#last, row)) this.#last = row;
  }

  push(series: number, timeNs: bigint, value: FieldValue): void {
    const row = this.#pushSeries(series);
    this.times[row] = timeNs;
    if (this.type === 'float') this.#floats[row] = value as number;
    else this.#others[row] = value instanceof Uint64 ? value.value : value;
    if (this.#isBefore(row, this.#first)) this.#first = row;
    if (this.#isBefore(this.#last, row)) this.#last = row;
  }

  /** The least time; there must be a row. */
  get leastNs(): bigint {
    return this.times[this.#first]!;
  }

  /** Counts the rows among those of the table. */
  addTo(table: ArrivalTable): void {
    const minNs = this.leastNs;
    const maxNs = this.times[this.#last]!;
    table.rows += this.length;
    if (minNs < table.minNs) table.minNs = minNs;
    if (maxNs > table.maxNs) table.maxNs = maxNs;
  }

  clear(): void {
    this.length = 0;
    this.#others.length = 0;
    this.#first = 0;
    this.#last = 0;
  }

  #pushSeries(series: number): number {
    const row = this.length++;
    if (row === this.series.length) this.#grow();
    this.series[row] = series;
    return row;
  }

  #grow(): void {
    const capacity = 2 * this.series.length;
    const series = new Int32Array(capacity);
    series.set(this.series);
    this.series = series;
    const times = new BigInt64Array(capacity);
    times.set(this.times);
    this.times = times;
    this.#words = new Int32Array(times.buffer);
    if (this.type !== 'float') return;
    const floats = new Float64Array(capacity);
    floats.set(this.#floats);
    this.#floats = floats;
  }

  #isBefore(one: number, other: number): boolean {
    const words = this.#words;
    const [high, otherHigh] = [words[2 * one + 1]!, words[2 * other + 1]!];
    return high < otherHigh || (high === otherHigh && words[2 * one]! >>> 0 < words[2 * other]! >>> 0);
  }
}
