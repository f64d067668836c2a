import type { TagSet } from './series.ts';

/** Keys of a measurement that are indexed at a time; with one more the first of them goes. */
const MAX_INDEXED_KEYS = 16;

/** Most values have one tag set: a list for each would take three times the memory. */
type Found = TagSet | TagSet[];

/**
 * The tag sets of a measurement by the value of a tag, so that a question about one sensor does not look at all of them.
 * A key is indexed when it is first asked about: writes pay for those alone, with some 50 bytes for each tag set.
 */
export class TagIndex {
  readonly #tagSets: Iterable<TagSet>;
  readonly #byKey = new Map<string, Map<string, Found>>();
  #keys: Set<string> | undefined;

  /** `tagSets` are all there are when a key is first asked about; those without a series do not count. */
  constructor(tagSets: Iterable<TagSet>) {
    this.#tagSets = tagSets;
  }

  /** Tag sets with this value of the tag, which is not empty, in the order in which they came. */
  find(key: string, value: string): readonly TagSet[] {
    const found = this.#valuesOf(key).get(value) ?? [];
    return Array.isArray(found) ? found : [found];
  }

  /** The keys of all tags. */
  keys(): ReadonlySet<string> {
    if (this.#keys === undefined) {
      this.#keys = new Set();
      for (const { tags, series } of this.#tagSets)
        if (series.size > 0) for (const [key] of tags) this.#keys.add(key);
    }
    return this.#keys;
  }

  /** To be told of each tag set that gets its first series. */
  add(tagSet: TagSet): void {
    for (const [key, value] of tagSet.tags) {
      this.#keys?.add(key);
      const values = this.#byKey.get(key);
      if (values !== undefined) put(values, value, tagSet);
    }
  }

  #valuesOf(key: string): Map<string, Found> {
    let values = this.#byKey.get(key);
    if (values !== undefined) return values;
    values = new Map();
    for (const tagSet of this.#tagSets) {
      const value = tagSet.series.size > 0 && tagSet.tags.find(([name]) => name === key)?.[1];
      if (value) put(values, value, tagSet);
    }
    if (this.#byKey.size >= MAX_INDEXED_KEYS) this.#byKey.delete(this.#byKey.keys().next().value!);
    this.#byKey.set(key, values);
    return values;
  }
}

function put(values: Map<string, Found>, value: string, tagSet: TagSet): void {
  const others = values.get(value);
  if (others === undefined) values.set(value, tagSet);
  else if (Array.isArray(others)) others.push(tagSet);
  else values.set(value, [others, tagSet]);
}
