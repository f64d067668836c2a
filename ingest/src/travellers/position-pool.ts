import type { Track } from './track.ts';

/** No position. */
export const NONE = -1;
const FIRST_CAPACITY = 1024;

/**
 * Stored positions of travellers, by column: as objects they would be three times as large, and the garbage collector
 * would look at each. A position is known by its index, is linked to the one before and after it of its traveller, and is
 * found by its instant.
 */
export class PositionPool {
  times = new BigInt64Array(FIRST_CAPACITY);
  x = new Float64Array(FIRST_CAPACITY);
  y = new Float64Array(FIRST_CAPACITY);
  /** Since the position before, in ns; 0 for the first of a stay. As the store has it, NaN where it has none. */
  elapsedNs = new Float64Array(FIRST_CAPACITY);
  /** As the store has it, NaN where it has none. */
  speed = new Float64Array(FIRST_CAPACITY);
  slots = new Uint32Array(FIRST_CAPACITY);
  before = new Int32Array(FIRST_CAPACITY);
  after = new Int32Array(FIRST_CAPACITY);
  #words = new Uint32Array(this.times.buffer);
  /** Chains of positions by instant, and of the free ones. */
  #next = new Int32Array(FIRST_CAPACITY);
  #buckets = new Int32Array(FIRST_CAPACITY).fill(NONE);
  readonly #tracks: (Track | undefined)[] = [];
  #free = NONE;
  #used = 0;
  #size = 0;

  /** How many positions there are. */
  get size(): number {
    return this.#size;
  }

  /** Indexes beyond it have never been used. */
  get end(): number {
    return this.#used;
  }

  /** Undefined where no position is at the index. */
  trackOf(index: number): Track | undefined {
    return this.#tracks[index];
  }

  /** Adds a position that is linked to none yet. */
  add(track: Track, timeNs: bigint, slot: number): number {
    const index = this.#take();
    this.times[index] = timeNs;
    this.slots[index] = slot;
    this.elapsedNs[index] = Number.NaN;
    this.speed[index] = Number.NaN;
    this.before[index] = NONE;
    this.after[index] = NONE;
    this.#tracks[index] = track;
    this.#size++;
    this.#chain(index);
    return index;
  }

  remove(index: number): void {
    const bucket = this.#bucketOf(index);
    let at = this.#buckets[bucket]!;
    if (at === index) this.#buckets[bucket] = this.#next[index]!;
    else {
      while (this.#next[at] !== index) at = this.#next[at]!;
      this.#next[at] = this.#next[index]!;
    }
    this.#tracks[index] = undefined;
    this.#next[index] = this.#free;
    this.#free = index;
    this.#size--;
  }

  /** The least slot that no other traveller of the stream has at the time. */
  freeSlot(stream: Track['stream'], timeNs: bigint): number {
    const taken: number[] = [];
    probe[0] = timeNs;
    const bucket = this.#hash(stream.id, probeWords[0]!, probeWords[1]!);
    for (let at = this.#buckets[bucket]!; at !== NONE; at = this.#next[at]!)
      if (this.times[at] === timeNs && this.#tracks[at]!.stream === stream) taken.push(this.slots[at]!);
    let slot = 0;
    while (taken.includes(slot)) slot++;
    return slot;
  }

  #take(): number {
    if (this.#free !== NONE) {
      const index = this.#free;
      this.#free = this.#next[index]!;
      return index;
    }
    if (this.#used === this.times.length) this.#grow();
    return this.#used++;
  }

  #grow(): void {
    const capacity = this.times.length * 2;
    this.times = grown(this.times, new BigInt64Array(capacity));
    this.#words = new Uint32Array(this.times.buffer);
    this.x = grown(this.x, new Float64Array(capacity));
    this.y = grown(this.y, new Float64Array(capacity));
    this.elapsedNs = grown(this.elapsedNs, new Float64Array(capacity));
    this.speed = grown(this.speed, new Float64Array(capacity));
    this.slots = grown(this.slots, new Uint32Array(capacity));
    this.before = grown(this.before, new Int32Array(capacity));
    this.after = grown(this.after, new Int32Array(capacity));
    this.#next = grown(this.#next, new Int32Array(capacity));
    this.#buckets = new Int32Array(capacity).fill(NONE);
    // None is free: all are chained anew.
    for (let index = 0; index < this.#used; index++) this.#chain(index);
  }

  #chain(index: number): void {
    const bucket = this.#bucketOf(index);
    this.#next[index] = this.#buckets[bucket]!;
    this.#buckets[bucket] = index;
  }

  #bucketOf(index: number): number {
    return this.#hash(this.#tracks[index]!.stream.id, this.#words[index * 2]!, this.#words[index * 2 + 1]!);
  }

  /** Of a stream and the two halves of a time, whose lower bits are often zeros. */
  #hash(stream: number, low: number, high: number): number {
    let mixed = Math.imul(stream, 0x9e37_79b1) ^ Math.imul(low, 0x85eb_ca6b) ^ Math.imul(high, 0xc2b2_ae35);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x2c1b_3c6d);
    return (mixed ^ (mixed >>> 13)) & (this.#buckets.length - 1);
  }
}

const probe = new BigInt64Array(1);
const probeWords = new Uint32Array(probe.buffer);

function grown<Column extends { set(from: Column): void }>(column: Column, larger: Column): Column {
  larger.set(column);
  return larger;
}
