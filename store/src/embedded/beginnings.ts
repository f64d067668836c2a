import type { ReadingFilter } from '../engine.ts';
import { MAX_TIME_NS, MIN_TIME_NS } from './schema.ts';

/** Most filters that are remembered, and the longest of them as text. */
const MAX_FILTERS = 100;
const MAX_KEY_LENGTH = 1000;

/** A look for the first reading while it is under way. */
interface Look {
  key: string;
  /** The least time that was written meanwhile, which it may not have seen. */
  writtenNs: bigint;
}

/**
 * Before which time there is no reading that passes a filter, learnt from those who looked: a table may begin with
 * others' points, and to find the first reading again would take as many queries as it did before.
 */
export class Beginnings {
  readonly #known = new Map<string, bigint>();
  readonly #looks = new Set<Look>();

  /** A time before which nothing passes the filter. */
  of(filter: ReadingFilter): bigint {
    return this.#known.get(keyOf(filter)) ?? MIN_TIME_NS;
  }

  /** Remembers what `look` finds: the time of the first reading of all that pass the filter, undefined where it cannot tell. */
  async learn<T>(
    filter: ReadingFilter,
    look: () => Promise<{ firstNs: bigint | undefined; answer: T }>,
  ): Promise<T> {
    const one: Look = { key: keyOf(filter), writtenNs: MAX_TIME_NS };
    this.#looks.add(one);
    try {
      const { firstNs, answer } = await look();
      if (firstNs !== undefined) this.#keep(one, firstNs);
      return answer;
    } finally {
      this.#looks.delete(one);
    }
  }

  /** To be told of the least time of a batch once queries see it. */
  written(leastNs: bigint): void {
    for (const [key, firstNs] of this.#known) if (leastNs < firstNs) this.#known.set(key, leastNs);
    for (const look of this.#looks) if (leastNs < look.writtenNs) look.writtenNs = leastNs;
  }

  /** To be told when readings have come to pass filters that they did not pass. */
  forget(): void {
    this.#known.clear();
    for (const look of this.#looks) look.writtenNs = MIN_TIME_NS;
  }

  #keep({ key, writtenNs }: Look, firstNs: bigint): void {
    if (key.length > MAX_KEY_LENGTH) return;
    this.#known.delete(key);
    this.#known.set(key, writtenNs < firstNs ? writtenNs : firstNs);
    const [oldest] = this.#known.keys();
    if (this.#known.size > MAX_FILTERS) this.#known.delete(oldest!);
  }
}

function keyOf({ sensors = [], locations = [], metrics = [] }: ReadingFilter): string {
  return JSON.stringify([sensors, locations, metrics]);
}
