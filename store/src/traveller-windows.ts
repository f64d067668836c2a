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
  /** The bucket that the range begins in. */
  firstBucket: bigint;
}

/**
 * Throws `bad_request` where there would be more windows than may be asked for. Buckets are as long as they can be
 * unless it is said how long; steps and windows are whole buckets.
 */
export function gridOf(
  { fromNs, toNs, everyNs, lengthNs }: TravellerWindowsQuery,
  bucketNs = greatestCommonDivisor(everyNs, lengthNs),
): WindowGrid {
  const firstWindow = fromNs / everyNs;
  const lastWindow = toNs > fromNs ? (toNs - 1n) / everyNs : firstWindow - 1n;
  const bucketsOfWindow = lengthNs / bucketNs;
  // Where there is time between windows, the range may begin in it.
  const windowAtStart = fromNs < firstWindow * everyNs + lengthNs ? firstWindow : firstWindow + 1n;
  const firstBucket = fromNs / bucketNs;
  const grid = { firstWindow, lastWindow, everyNs, bucketNs, bucketsOfWindow, windowAtStart, firstBucket };
  const work = (lastWindow - firstWindow + 1n) * (1n + grid.bucketsOfWindow / 100n);
  if (work > MAX_WINDOWS) throw tooMany();
  return grid;
}

/** The windows of sensors and types, filled where nothing was; what they are made of is added part by part. */
export class TravellerWindows {
  readonly #grid: WindowGrid;
  readonly #groups = new Map<string, Group>();
  readonly #windows: number;
  readonly #wanted: { sensors: ReadonlySet<string>; types: ReadonlySet<string> };

  /** A sensor and a type that are both asked for by name have windows whatever there is. */
  constructor(grid: WindowGrid, { sensors = [], types = [] }: Pick<TravellersQuery, 'sensors' | 'types'>) {
    this.#grid = grid;
    this.#wanted = { sensors: new Set(sensors), types: new Set(types) };
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
      group.starts[at]! += count;
    });
  }

  /** Travellers who are there as each window from the first to the last begins, by number. */
  addPresent(sensor: string, type: string, first: bigint, last: bigint, count: number): void {
    this.#each(sensor, type, [first, last], (group, at) => {
      group.present[at]! += count;
    });
  }

  /** Windows of one bucket each, whose starts are starts of buckets here; those that are before or behind do not count. */
  addParts(parts: TravellerWindows): void {
    const { bucketNs, firstWindow, everyNs, firstBucket } = this.#grid;
    const firstAt = Number(firstBucket - (firstWindow * everyNs) / bucketNs);
    const step = Number(everyNs / bucketNs);
    const length = Number(this.#grid.bucketsOfWindow);
    // Buckets are counted from the first window's first.
    const offset = Number(parts.#grid.firstWindow - (firstWindow * everyNs) / bucketNs);
    for (const one of parts.#groups.values()) {
      if (!this.#isWanted(one.sensor, one.type)) continue;
      let group: Group | undefined;
      for (let part = 0; part < parts.#windows; part++) {
        const bucket = offset + part;
        const last = Math.min(Math.floor(bucket / step), this.#windows - 1);
        for (let at = Math.max(Math.ceil((bucket - length + 1) / step), 0); at <= last; at++) {
          const present = bucket === Math.max(at * step, firstAt) ? one.present[part]! : 0;
          if (present === 0 && one.starts[part] === 0 && one.speeds[part] === 0) continue;
          group ??= this.#groupOf(one.sensor, one.type);
          group.present[at]! += present;
          group.starts[at]! += one.starts[part]!;
          group.speeds[at]! += one.speeds[part]!;
          group.sum[at]! += one.sum[part]!;
          group.min[at] = Math.min(group.min[at]!, one.min[part]!);
          group.max[at] = Math.max(group.max[at]!, one.max[part]!);
        }
      }
    }
  }

  /** The windows from the one by this number on, without what is empty. */
  slice(firstWindow: bigint, windows: number): TravellerWindows {
    const lastWindow = firstWindow + BigInt(windows) - 1n;
    const slice = new TravellerWindows(
      { ...this.#grid, firstWindow, lastWindow, windowAtStart: firstWindow },
      {},
    );
    const start = Number(firstWindow - this.#grid.firstWindow);
    for (const [key, group] of this.#groups) {
      const columnOf = (column: Float64Array) => column.slice(start, start + windows);
      const starts = columnOf(group.starts);
      const present = columnOf(group.present);
      const speeds = columnOf(group.speeds);
      const isEmpty = [starts, present, speeds].every((column) => column.every((value) => value === 0));
      if (isEmpty) continue;
      const [sum, min, max] = [columnOf(group.sum), columnOf(group.min), columnOf(group.max)];
      slice.#groups.set(key, { ...group, starts, present, speeds, sum: sum!, min: min!, max: max! });
    }
    return slice;
  }

  /** Sensors with their types. */
  get groups(): number {
    return this.#groups.size;
  }

  /** By sensor, type and time. */
  *[Symbol.iterator](): Generator<TravellerWindow> {
    const { firstWindow, everyNs } = this.#grid;
    const groups = [...this.#groups.values()].sort(
      (one, other) => compareText(one.sensor, other.sensor) || compareText(one.type, other.type),
    );
    for (const { sensor, type, starts, present, speeds, sum, min, max } of groups)
      for (let at = 0; at < this.#windows; at++) {
        const hasSpeed = speeds[at]! > 0;
        yield {
          timeNs: (firstWindow + BigInt(at)) * everyNs,
          sensor,
          type,
          count: starts[at]! + present[at]!,
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

  #isWanted(sensor: string, type: string): boolean {
    const { sensors, types } = this.#wanted;
    return (sensors.size === 0 || sensors.has(sensor)) && (types.size === 0 || types.has(type));
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
        starts: numbers(0),
        present: numbers(0),
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
  /** Stays that begin in the window, and travellers who are there as it begins. */
  starts: Float64Array;
  present: Float64Array;
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
