import type { Reading } from '@tidemark/core';
import type { ReadingFilter } from '../engine.ts';
import { MAX_TIME_NS, MIN_TIME_NS } from './schema.ts';

/** Most filters that are remembered, and the longest of them as text. */
const MAX_FILTERS = 100;
const MAX_KEY_LENGTH = 1000;

interface Beginning {
  /** Nothing that passes the filter is before it. */
  firstNs: bigint;
  /** The first reading that passes, as it is stored; undefined where something may have changed it. */
  first: Reading | undefined;
}

/** A look for the first reading while it is under way. */
interface Look {
  key: string;
  /** The least time that was written meanwhile, which it may not have seen. */
  writtenNs: bigint;
}

/**
 * The first reading that passes a filter, or a time before which there is none, learnt from those who looked: a table
 * may begin with others' points, or be in the order of the series, and to find it again would be as much work as before.
 */
export class Beginnings {
  readonly #known = new Map<string, Beginning>();
  readonly #looks = new Set<Look>();

  /** A time before which nothing passes the filter. */
  of(filter: ReadingFilter): bigint {
    return this.#known.get(keyOf(filter))?.firstNs ?? MIN_TIME_NS;
  }

  /** The first reading of all that pass the filter; undefined where it is not known. */
  first(filter: ReadingFilter): Reading | undefined {
    return this.#known.get(keyOf(filter))?.first;
  }

  /** Remembers what `look` finds: the first reading of all that pass the filter, undefined where it cannot tell. */
  async learn<T>(
    filter: ReadingFilter,
    look: () => Promise<{ first: Reading | undefined; answer: T }>,
  ): Promise<T> {
    const one: Look = { key: keyOf(filter), writtenNs: MAX_TIME_NS };
    this.#looks.add(one);
    try {
      const { first, answer } = await look();
      if (first !== undefined) this.#keep(one, first);
      return answer;
    } finally {
      this.#looks.delete(one);
    }
  }

  /** To be told of the least time of a batch once queries see it. */
  written(leastNs: bigint): void {
    for (const beginning of this.#known.values()) {
      if (leastNs > beginning.firstNs) continue;
      beginning.firstNs = leastNs;
      beginning.first = undefined;
    }
    for (const look of this.#looks) if (leastNs < look.writtenNs) look.writtenNs = leastNs;
  }

  /** To be told when readings have been removed, or pass filters that they did not pass. */
  forget(): void {
    this.#known.clear();
    for (const look of this.#looks) look.writtenNs = MIN_TIME_NS;
  }

  #keep({ key, writtenNs }: Look, first: Reading): void {
    if (key.length > MAX_KEY_LENGTH) return;
    const isChanged = writtenNs <= first.timeNs;
    this.#known.delete(key);
    this.#known.set(
      key,
      isChanged ? { firstNs: writtenNs, first: undefined } : { firstNs: first.timeNs, first },
    );
    const [oldest] = this.#known.keys();
    if (this.#known.size > MAX_FILTERS) this.#known.delete(oldest!);
  }
}

function keyOf({ sensors = [], locations = [], metrics = [] }: ReadingFilter): string {
  return JSON.stringify([sensors, locations, metrics]);
}
