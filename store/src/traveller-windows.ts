import { TidemarkError } from '@tidemark/core';
import { MAX_WINDOWS } from './engine.ts';
import { compareText } from './order.ts';
import type { TravellersQuery, TravellerWindow, TravellerWindowsQuery } from './travellers.ts';

/** Which windows there are: the first starts at or before the range, the last in it. */
export interface WindowGrid {
  firstWindow: bigint;
  lastWindow: bigint;
  everyNs: bigint;
  /** Windows are made of whole buckets of this length. */
  bucketNs: bigint;
  bucketsOfWindow: bigint;
  /** The window that a traveller is in who is there where the range begins. */
  windowAtStart: bigint;
}

/** Throws `bad_request` where there would be more windows than may be asked for. */
export function gridOf({ fromNs, toNs, everyNs, lengthNs }: TravellerWindowsQuery): WindowGrid {
  const firstWindow = fromNs / everyNs;
  const lastWindow = toNs > fromNs ? (toNs - 1n) / everyNs : firstWindow - 1n;
  const bucketNs = greatestCommonDivisor(everyNs, lengthNs);
  const bucketsOfWindow = lengthNs / bucketNs;
  // Where there is time between windows, the range may begin in it.
  const windowAtStart = fromNs < firstWindow * everyNs + lengthNs ? firstWindow : firstWindow + 1n;
  const grid = { firstWindow, lastWindow, everyNs, bucketNs, bucketsOfWindow, windowAtStart };
  const work = (lastWindow - firstWindow + 1n) * (1n + grid.bucketsOfWindow / 100n);
  if (work > MAX_WINDOWS) throw tooMany();
  return grid;
}

/** The windows of sensors and types, filled where nothing was; what they are made of is added part by part. */
export class TravellerWindows {
  readonly #grid: WindowGrid;
  readonly #groups = new Map<string, Group>();
  readonly #windows: number;

  /** A sensor and a type that are both asked for by name have windows whatever there is. */
  constructor(grid: WindowGrid, { sensors = [], types = [] }: TravellersQuery) {
    this.#grid = grid;
    this.#windows = Number(grid.lastWindow - grid.firstWindow) + 1;
    for (const sensor of sensors) for (const type of types) this.#groupOf(sensor, type);
  }

  /** Speeds of the positions of one bucket; `bucket` is its time by its length. */
  addSpeeds(
    sensor: string,
    type: string,
    bucket: bigint,
    { count, sum, min, max }: { count: number; sum: number; min: number; max: number },
  ): void {
    this.#each(sensor, type, this.#windowsOf(bucket), (group, at) => {
      group.speeds[at]! += count;
      group.sum[at]! += sum;
      group.min[at] = Math.min(group.min[at]!, min);
      group.max[at] = Math.max(group.max[at]!, max);
    });
  }

  /** Travellers whose stays begin in the bucket. */
  addStarts(sensor: string, type: string, bucket: bigint, count: number): void {
    this.#each(sensor, type, this.#windowsOf(bucket), (group, at) => {
      group.count[at]! += count;
    });
  }

  /** Travellers in each window from the first to the last, by number. */
  addPresent(sensor: string, type: string, first: bigint, last: bigint, count: number): void {
    this.#each(sensor, type, [first, last], (group, at) => {
      group.count[at]! += count;
    });
  }

  /** By sensor, type and time. */
  *[Symbol.iterator](): Generator<TravellerWindow> {
    const { firstWindow, everyNs } = this.#grid;
    const groups = [...this.#groups.values()].sort(
      (one, other) => compareText(one.sensor, other.sensor) || compareText(one.type, other.type),
    );
    for (const { sensor, type, count, speeds, sum, min, max } of groups)
      for (let at = 0; at < this.#windows; at++) {
        const hasSpeed = speeds[at]! > 0;
        yield {
          timeNs: (firstWindow + BigInt(at)) * everyNs,
          sensor,
          type,
          count: count[at]!,
          minSpeed: hasSpeed ? min[at]! : null,
          // The sum of the largest doubles is none.
          meanSpeed: hasSpeed ? Math.min(sum[at]! / speeds[at]!, Number.MAX_VALUE) : null,
          maxSpeed: hasSpeed ? max[at]! : null,
        };
      }
  }

  get length(): number {
    return this.#groups.size * this.#windows;
  }

  /** The first and last window that the bucket is in; the first is behind the last where it is in none. */
  #windowsOf(bucket: bigint): [first: bigint, last: bigint] {
    const { everyNs, bucketNs, bucketsOfWindow } = this.#grid;
    const bucketsOfStep = everyNs / bucketNs;
    const missed = bucket - bucketsOfWindow + 1n;
    return [missed <= 0n ? 0n : (missed + bucketsOfStep - 1n) / bucketsOfStep, bucket / bucketsOfStep];
  }

  #each(
    sensor: string,
    type: string,
    [first, last]: readonly [bigint, bigint],
    add: (group: Group, at: number) => void,
  ): void {
    const { firstWindow } = this.#grid;
    const firstAt = Math.max(Number(first - firstWindow), 0);
    const lastAt = Math.min(Number(last - firstWindow), this.#windows - 1);
    if (firstAt > lastAt) return;
    const group = this.#groupOf(sensor, type);
    for (let at = firstAt; at <= lastAt; at++) add(group, at);
  }

  #groupOf(sensor: string, type: string): Group {
    const key = JSON.stringify([sensor, type]);
    let group = this.#groups.get(key);
    if (group === undefined) {
      if ((this.#groups.size + 1) * this.#windows > MAX_WINDOWS) throw tooMany();
      const numbers = (value: number) => new Float64Array(this.#windows).fill(value);
      const least = Number.POSITIVE_INFINITY;
      group = {
        sensor,
        type,
        count: numbers(0),
        speeds: numbers(0),
        sum: numbers(0),
        min: numbers(least),
        max: numbers(-least),
      };
      this.#groups.set(key, group);
    }
    return group;
  }
}

interface Group {
  sensor: string;
  type: string;
  count: Float64Array;
  speeds: Float64Array;
  sum: Float64Array;
  min: Float64Array;
  max: Float64Array;
}

function tooMany(): TidemarkError {
  const message = `more than ${MAX_WINDOWS} windows: ask for less time, longer steps, or fewer sensors and types`;
  return new TidemarkError('bad_request', message);
}

function greatestCommonDivisor(one: bigint, other: bigint): bigint {
  return other === 0n ? one : greatestCommonDivisor(other, one % other);
}
