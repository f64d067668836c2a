import type { Tag } from './point.ts';

/** A measurement and its tags, as the bytes of a line name them. */
export interface LineSeries {
  readonly measurement: string;
  /** Frozen and sorted by key: the same array for each line of the series. */
  readonly tags: readonly Tag[];
  /** Fields that lines of the series have had, in the order they first came. */
  readonly fields: LineField[];
}

export interface LineField {
  readonly name: string;
  /** As it stands in the line, with its escapes. */
  readonly bytes: Uint8Array;
  /** Number of the last line that had it. */
  lastLine: number;
}

export interface KnownSeries {
  readonly hash: number;
  /** The bytes that name it. */
  readonly key: Uint8Array;
  readonly series: LineSeries;
  /** The one that came after it last time. */
  next: KnownSeries | undefined;
}

const FIRST_SLOTS = 1024;

/**
 * Series by the bytes that name them in a line. Holds the `maxSeries` used last, and at most as many more: when the
 * younger generation is full it becomes the older one, whose series come back as they are met.
 */
export class LineSeriesCache {
  readonly #maxSeries: number;
  #young = new Generation();
  #old = new Generation();

  constructor(maxSeries: number) {
    this.#maxSeries = maxSeries;
  }

  find(bytes: Uint8Array, start: number, end: number, hash: number): KnownSeries | undefined {
    const young = this.#young.find(bytes, start, end, hash);
    if (young !== undefined) return young;
    const old = this.#old.find(bytes, start, end, hash);
    if (old !== undefined) this.#add(old);
    return old;
  }

  add(key: Uint8Array, hash: number, series: LineSeries): KnownSeries {
    const known: KnownSeries = { key, hash, series, next: undefined };
    this.#add(known);
    return known;
  }

  #add(known: KnownSeries): void {
    if (this.#young.size >= this.#maxSeries) {
      this.#old = this.#young;
      this.#young = new Generation();
    }
    this.#young.add(known);
  }
}

/** A hash table with open addressing: a key is compared where it lies in the message, and never made a string. */
class Generation {
  size = 0;
  #slots: (KnownSeries | undefined)[] = new Array(FIRST_SLOTS).fill(undefined);

  find(bytes: Uint8Array, start: number, end: number, hash: number): KnownSeries | undefined {
    const mask = this.#slots.length - 1;
    for (let at = hash & mask; ; at = (at + 1) & mask) {
      const entry = this.#slots[at];
      if (entry === undefined) return undefined;
      if (entry.hash === hash && isEqual(entry.key, bytes, start, end)) return entry;
    }
  }

  add(entry: KnownSeries): void {
    if (this.size * 2 >= this.#slots.length) {
      const slots = this.#slots;
      this.#slots = new Array(slots.length * 2).fill(undefined);
      for (const known of slots) if (known !== undefined) this.#place(known);
    }
    this.#place(entry);
    this.size += 1;
  }

  #place(entry: KnownSeries): void {
    const mask = this.#slots.length - 1;
    let at = entry.hash & mask;
    while (this.#slots[at] !== undefined) at = (at + 1) & mask;
    this.#slots[at] = entry;
  }
}

/** True when the key is what stands at `start` to `end` of the bytes. */
export function isEqual(key: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (key.length !== end - start) return false;
  for (let index = 0; index < key.length; index++) if (key[index] !== bytes[start + index]) return false;
  return true;
}
