import { NONE, type PositionPool } from './position-pool.ts';
import type { Stream, Track } from './track.ts';

interface SensorMemoryOptions {
  sensor: string;
  pool: PositionPool;
  /** A longer silence begins another stay. */
  gapNs: bigint;
  /** What is stored from here on, and before `toNs`, is in memory: `hold` was told of all of it. */
  fromNs: bigint;
  toNs: bigint;
}

/** A position as it is in the store. */
export interface StoredPosition {
  type: string;
  traveller: string;
  slot: number;
  timeNs: bigint;
  x: number;
  y: number;
  elapsedNs: number;
  speed: number;
}

let streams = 0;

/** What the store holds of a sensor's travellers, as far back as is remembered. */
export class SensorMemory {
  readonly #options: SensorMemoryOptions;
  readonly #streams = new Map<string, Stream>();
  /** Every stored position from here on is in memory. */
  #completeFromNs: bigint;
  /** The last position of every traveller that was here from then on is in memory. */
  #knownFromNs: bigint;
  #newestNs: bigint;

  constructor(options: SensorMemoryOptions) {
    this.#options = options;
    this.#completeFromNs = options.fromNs;
    this.#knownFromNs = options.fromNs;
    this.#newestNs = options.fromNs;
  }

  /** True when a position would find here who else was there at its time, and its own neighbours. */
  covers(type: string, traveller: string, timeNs: bigint, x: number, y: number): boolean {
    const { gapNs, toNs, pool } = this.#options;
    if (timeNs + gapNs >= toNs) return false;
    const track = this.#streams.get(type)?.tracks.get(traveller);
    if (track === undefined) return timeNs >= this.#completeFromNs && timeNs - gapNs >= this.#knownFromNs;
    let before = this.#lastUpTo(track, timeNs);
    if (before !== NONE && pool.times[before] === timeNs) {
      if (pool.x[before] === x && pool.y[before] === y) return true;
      before = pool.before[before]!;
    } else if (timeNs < this.#completeFromNs) return false;
    if (before !== NONE && pool.times[before]! >= track.fromNs) return true;
    return timeNs - gapNs >= track.fromNs;
  }

  /** Takes in a position that is stored. */
  hold({ type, traveller, slot, timeNs, x, y, elapsedNs, speed }: StoredPosition): void {
    const { pool } = this.#options;
    const index = this.#insert(this.#trackOf(type, traveller), timeNs, slot);
    pool.x[index] = x;
    pool.y[index] = y;
    pool.elapsedNs[index] = elapsedNs;
    pool.speed[index] = speed;
  }

  /**
   * Takes in a position that is covered and is to be stored, or moves the traveller's own of that time; answers where
   * it is. What follows from it for the next is `nextToCorrect`.
   */
  place(type: string, traveller: string, timeNs: bigint, x: number, y: number): number {
    const { pool } = this.#options;
    const track = this.#trackOf(type, traveller);
    const found = this.#lastUpTo(track, timeNs);
    const isKnown = found !== NONE && pool.times[found] === timeNs;
    if (isKnown && pool.x[found] === x && pool.y[found] === y) return found;
    const index = isKnown ? found : this.#insert(track, timeNs, pool.freeSlot(track.stream, timeNs));
    pool.x[index] = x;
    pool.y[index] = y;
    this.#derive(index);
    return index;
  }

  /** The position behind one that was placed, where the store has it otherwise than it is now; else NONE. */
  nextToCorrect(index: number): number {
    const after = this.#options.pool.after[index]!;
    return after !== NONE && this.#derive(after) ? after : NONE;
  }

  #trackOf(type: string, traveller: string): Track {
    let stream = this.#streams.get(type);
    if (stream === undefined) {
      const { sensor } = this.#options;
      stream = { id: streams++, sensor, type, tags: [], tracks: new Map() };
      this.#streams.set(type, stream);
    }
    let track = stream.tracks.get(traveller);
    if (track === undefined) {
      track = { stream, traveller, first: NONE, last: NONE, fromNs: this.#knownFromNs };
      stream.tracks.set(traveller, track);
    }
    return track;
  }

  /**
   * Derives what follows from the position before; true when the store has it otherwise. Distance over time, never
   * infinite: what no double holds is the largest.
   */
  #derive(index: number): boolean {
    const { pool, gapNs } = this.#options;
    const before = pool.before[index]!;
    const sinceNs = before === NONE ? 0n : pool.times[index]! - pool.times[before]!;
    const elapsedNs = sinceNs > gapNs ? 0 : Number(sinceNs);
    let speed = Number.NaN;
    if (elapsedNs > 0) {
      const metres = Math.hypot(pool.x[index]! - pool.x[before]!, pool.y[index]! - pool.y[before]!);
      speed = Math.min(metres / (elapsedNs / 1e9), Number.MAX_VALUE);
    }
    if (Object.is(pool.elapsedNs[index], elapsedNs) && Object.is(pool.speed[index], speed)) return false;
    pool.elapsedNs[index] = elapsedNs;
    pool.speed[index] = speed;
    return true;
  }

  /**
   * Forgets a position that is stored. Where a traveller was last is kept while it may come again, unless `isForced`;
   * false when it was kept.
   */
  forget(index: number, isForced: boolean): boolean {
    const { pool, gapNs } = this.#options;
    const track = pool.trackOf(index)!;
    const timeNs = pool.times[index]!;
    if (track.last === index) {
      // Twice the gap, so that what comes in disorder is still known to begin a stay.
      if (!isForced && this.#newestNs - timeNs <= 2n * gapNs) return false;
      if (timeNs >= this.#knownFromNs) this.#knownFromNs = timeNs + 1n;
    }
    if (timeNs >= track.fromNs) track.fromNs = timeNs + 1n;
    if (timeNs >= this.#completeFromNs) this.#completeFromNs = timeNs + 1n;
    this.#unlink(track, index);
    return true;
  }

  #unlink(track: Track, index: number): void {
    const { pool } = this.#options;
    const before = pool.before[index]!;
    const after = pool.after[index]!;
    if (before === NONE) track.first = after;
    else pool.after[before] = after;
    if (after === NONE) track.last = before;
    else pool.before[after] = before;
    pool.remove(index);
    if (track.first === NONE) track.stream.tracks.delete(track.traveller);
  }

  #insert(track: Track, timeNs: bigint, slot: number): number {
    const { pool } = this.#options;
    const before = this.#lastUpTo(track, timeNs);
    const index = pool.add(track, timeNs, slot);
    const after = before === NONE ? track.first : pool.after[before]!;
    pool.before[index] = before;
    pool.after[index] = after;
    if (before === NONE) track.first = index;
    else pool.after[before] = index;
    if (after === NONE) track.last = index;
    else pool.before[after] = index;
    if (timeNs > this.#newestNs) this.#newestNs = timeNs;
    return index;
  }

  /** The last of the traveller's positions that is not behind the time. */
  #lastUpTo(track: Track, timeNs: bigint): number {
    const { times, before } = this.#options.pool;
    let index = track.last;
    while (index !== NONE && times[index]! > timeNs) index = before[index]!;
    return index;
  }

  /** Forgets everything. */
  clear(): void {
    const { pool } = this.#options;
    for (const { tracks } of this.#streams.values())
      for (const { first } of tracks.values())
        for (let index = first; index !== NONE; ) {
          const after = pool.after[index]!;
          pool.remove(index);
          index = after;
        }
    this.#streams.clear();
  }
}
