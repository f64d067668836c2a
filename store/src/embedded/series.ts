import {
  type FieldType,
  type FieldValue,
  fieldTypeOf,
  metricOfField,
  type Point,
  READINGS,
  type Tag,
} from '@tidemark/core';
import type { ReadingFilter } from '../engine.ts';

/** One field of one tag set, with its newest point. */
export interface Series {
  readonly id: number;
  readonly type: FieldType;
  readonly field: string;
  readonly tagSet: TagSet;
  /** The metric that the field is a value of; text has its own name back. */
  readonly metric: string;
  lastTimeNs: bigint;
  lastValue: FieldValue;
}

/** One measurement and tag set. */
export interface TagSet {
  readonly measurement: string;
  readonly tags: readonly Tag[];
  readonly sensor: string;
  readonly location: string | undefined;
  readonly series: Map<string, Series>;
}

/** A field of a point whose type is not the one that the field is pinned to. */
export interface TypeConflict {
  field: string;
  found: FieldType;
  pinned: FieldType;
}

/** Before every time: the last time of a series that holds no point. */
const NO_TIME_NS = -(2n ** 63n) - 1n;

/** All series, by what identifies them. Ids count up from 0 in the order of creation. */
export class SeriesIndex {
  readonly #byId: Series[] = [];
  readonly #byMeasurement = new Map<string, Map<string, TagSet>>();
  readonly #byTags = new WeakMap<readonly Tag[], TagSet>();
  readonly #types = new Map<string, Map<string, FieldType>>();
  readonly #sensors = new Map<string, TagSet[]>();
  readonly #countByType = new Map<FieldType, number>();

  get size(): number {
    return this.#byId.length;
  }

  byId(id: number): Series {
    return this.#byId[id]!;
  }

  /** The tag set of a point, created when new. */
  tagSetOf(point: Point): TagSet {
    const cached = this.#byTags.get(point.tags);
    if (cached !== undefined && cached.measurement === point.measurement) return cached;
    const tagSet = this.#findTagSet(point.measurement, point.tags);
    // What is not frozen could be changed and used again.
    if (Object.isFrozen(point.tags)) this.#byTags.set(point.tags, tagSet);
    return tagSet;
  }

  /** The first field of the point whose type is pinned to another one. */
  conflictOf(point: Point): TypeConflict | undefined {
    const pins = this.#types.get(point.measurement);
    for (const [field, value] of point.fields) {
      const pinned = pins?.get(field);
      const found = fieldTypeOf(value);
      if (pinned !== undefined && pinned !== found) return { field, found, pinned };
    }
    return undefined;
  }

  /** Adds a series and pins its field's type. `id` is the size before. */
  add(tagSet: TagSet, field: string, type: FieldType): Series {
    const metric = metricOfField(field, type === 'string');
    const series: Series = {
      id: this.#byId.length,
      type,
      field,
      tagSet,
      metric,
      lastTimeNs: NO_TIME_NS,
      lastValue: 0,
    };
    this.#byId.push(series);
    tagSet.series.set(field, series);
    this.#countByType.set(type, this.countOf(type) + 1);
    let pins = this.#types.get(tagSet.measurement);
    if (pins === undefined) {
      pins = new Map();
      this.#types.set(tagSet.measurement, pins);
    }
    pins.set(field, type);
    return series;
  }

  /** Number of series of a type, whatever their measurement. */
  countOf(type: FieldType): number {
    return this.#countByType.get(type) ?? 0;
  }

  /** Series of measurement `readings` that pass the filter. */
  select({ sensors, locations, metrics }: ReadingFilter): Series[] {
    const wantedLocations = toSet(locations);
    const wantedMetrics = toSet(metrics);
    const tagSets = isGiven(sensors)
      ? [...new Set(sensors)].flatMap((sensor) => this.#sensors.get(sensor) ?? [])
      : [...this.#sensors.values()].flat();
    const selected: Series[] = [];
    for (const { location, series } of tagSets) {
      if (wantedLocations && (location === undefined || !wantedLocations.has(location))) continue;
      for (const item of series.values()) {
        if (!wantedMetrics || wantedMetrics.has(item.metric)) selected.push(item);
      }
    }
    return selected;
  }

  /** Every measurement's fields with their types. */
  fields(): { measurement: string; field: string; type: FieldType }[] {
    return [...this.#types].flatMap(([measurement, pins]) =>
      [...pins].map(([field, type]) => ({ measurement, field, type })),
    );
  }

  #findTagSet(measurement: string, tags: readonly Tag[]): TagSet {
    let tagSets = this.#byMeasurement.get(measurement);
    if (tagSets === undefined) {
      tagSets = new Map();
      this.#byMeasurement.set(measurement, tagSets);
    }
    const key = keyOf(tags);
    const known = tagSets.get(key);
    if (known !== undefined) return known;
    const sensor = tagOf(tags, 'sensor') ?? '';
    const tagSet = { measurement, tags, sensor, location: tagOf(tags, 'location'), series: new Map() };
    tagSets.set(key, tagSet);
    if (measurement === READINGS) {
      const siblings = this.#sensors.get(sensor);
      if (siblings === undefined) this.#sensors.set(sensor, [tagSet]);
      else siblings.push(tagSet);
    }
    return tagSet;
  }
}

/** Lengths make it unambiguous; line protocol's own key is not where names end in a backslash. */
function keyOf(tags: readonly Tag[]): string {
  let key = '';
  for (const [name, value] of tags) key += `${name.length}:${value.length}:${name}${value}`;
  return key;
}

function tagOf(tags: readonly Tag[], key: string): string | undefined {
  return tags.find(([name]) => name === key)?.[1];
}

function isGiven(list: readonly string[] | undefined): list is readonly string[] {
  return list !== undefined && list.length > 0;
}

function toSet(list: readonly string[] | undefined): Set<string> | undefined {
  return isGiven(list) ? new Set(list) : undefined;
}
