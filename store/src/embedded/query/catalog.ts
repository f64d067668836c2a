import type { FieldType } from '@tidemark/core';
import type { DataType, Expression } from '@tidemark/influxql';
import { compareText } from '../../order.ts';
import type { SeriesIndex, TagSet } from '../series.ts';
import { candidatesFor } from './candidates.ts';

/** What there is to ask for when a query comes: measurements with their fields, tags and tag sets. */
export class Catalog {
  readonly #series: SeriesIndex;
  readonly #tagSets = new Map<string, readonly TagSet[]>();
  readonly #tagKeys = new Map<string, readonly string[]>();

  constructor(series: SeriesIndex) {
    this.#series = series;
  }

  /** In code-point order. */
  measurements(): string[] {
    return this.#series.measurements().sort(compareText);
  }

  /** All tag sets; with a condition, those at least that it may hold for. */
  tagSets(measurement: string, condition?: Expression): readonly TagSet[] {
    if (condition !== undefined) {
      const candidates = candidatesFor(condition, this.#series.tagIndexOf(measurement));
      if (candidates !== undefined) return candidates;
    }
    let tagSets = this.#tagSets.get(measurement);
    if (tagSets === undefined) {
      tagSets = [...this.#series.tagSetsIn(measurement)].filter(({ series }) => series.size > 0);
      this.#tagSets.set(measurement, tagSets);
    }
    return tagSets;
  }

  /** Fields that have a type; those of measurements that are empty are none. */
  fields(measurement: string): ReadonlyMap<string, FieldType> {
    if (this.#isEmpty(measurement)) return new Map();
    return this.#series.pinsOf(measurement) ?? new Map();
  }

  /** In code-point order. */
  tagKeys(measurement: string): readonly string[] {
    let keys = this.#tagKeys.get(measurement);
    if (keys === undefined) {
      keys = [...this.#series.tagIndexOf(measurement).keys()].sort(compareText);
      this.#tagKeys.set(measurement, keys);
    }
    return keys;
  }

  /** What a name is in a measurement: a field if there is one, else a tag. */
  typeOf(measurement: string, name: string): DataType {
    return (
      this.fields(measurement).get(name) ?? (this.tagKeys(measurement).includes(name) ? 'tag' : 'unknown')
    );
  }

  #isEmpty(measurement: string): boolean {
    for (const { series } of this.#series.tagSetsIn(measurement)) if (series.size > 0) return false;
    return true;
  }
}

/** A tag's value; '' where the tag set does not have it. */
export function tagOf({ tags }: TagSet, key: string): string {
  return tags.find(([name]) => name === key)?.[1] ?? '';
}
