import type { BytePattern } from './byte-pattern.ts';
import type { FieldType, Tag } from './point.ts';

/**
 * A measurement and its tags, as the bytes of a line name them. One object: lines of many series are read at the pace
 * at which what is known of each comes from memory.
 */
export interface LineSeries {
  readonly measurement: string;
  /** Frozen and sorted by key: the same array for each line of the series. */
  readonly tags: readonly Tag[];
  /** The bytes that name it, and their hash. */
  readonly key: BytePattern;
  readonly hash: number;
  /** Fields that lines of the series have had, in the order they first came. */
  fields: LineField[];
  /** True while the fields are those of another series of the measurement, since its own are likely the same. */
  sharesFields: boolean;
  /** The one that came after it last time. */
  next: LineSeries | undefined;
}

/** A field of a measurement. */
export interface LineField {
  readonly name: string;
  /** As it stands in the line, with its escapes. */
  readonly key: BytePattern;
  /** Number of the last line that had it. */
  lastLine: number;
  /** The type that it is known to be pinned to, by whoever reads. */
  type: FieldType | undefined;
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

  /** The series that the bytes from `start` up to `end` name. */
  find(view: DataView, start: number, end: number, hash: number): LineSeries | undefined {
    const young = this.#young.find(view, start, end, hash);
    if (young !== undefined) return young;
    const old = this.#old.find(view, start, end, hash);
    if (old !== undefined) this.add(old);
    return old;
  }

  add(known: LineSeries): void {
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
  #slots: (LineSeries | undefined)[] = new Array(FIRST_SLOTS).fill(undefined);

  find(view: DataView, start: number, end: number, hash: number): LineSeries | undefined {
    const mask = this.#slots.length - 1;
    for (let at = hash & mask; ; at = (at + 1) & mask) {
      const entry = this.#slots[at];
      if (entry === undefined) return undefined;
      if (entry.hash === hash && entry.key.length === end - start && entry.key.isAt(view, start))
        return entry;
    }
  }

  add(entry: LineSeries): void {
    if (this.size * 2 >= this.#slots.length) {
      const slots = this.#slots;
      this.#slots = new Array(slots.length * 2).fill(undefined);
      for (const known of slots) if (known !== undefined) this.#place(known);
    }
    this.#place(entry);
    this.size += 1;
  }

  #place(entry: LineSeries): void {
    const mask = this.#slots.length - 1;
    let at = entry.hash & mask;
    while (this.#slots[at] !== undefined) at = (at + 1) & mask;
    this.#slots[at] = entry;
  }
}
