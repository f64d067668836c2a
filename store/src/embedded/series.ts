import {
  type FieldType,
  type FieldValue,
  metricOfField,
  type Point,
  READINGS,
  type Tag,
  tagOf,
} from '@tidemark/core';
import type { ReadingFilter } from '../engine.ts';
import { sensorMeasurements } from '../sensor-measurements.ts';
import { NewestPoints } from './newest-points.ts';
import { TagIndex } from './tag-index.ts';

interface SeriesParts {
  id: number;
  type: FieldType;
  field: string;
  tagSet: TagSet;
}

/** One field of one tag set, with its newest point. */
export class Series {
  readonly id: number;
  readonly type: FieldType;
  readonly field: string;
  readonly tagSet: TagSet;
  /** The metric that the field is a value of; text has its own name back. */
  readonly metric: string;
  readonly #newest: NewestPoints;

  constructor({ id, type, field, tagSet }: SeriesParts, newest: NewestPoints) {
    this.id = id;
    this.type = type;
    this.field = field;
    this.tagSet = tagSet;
    this.metric = metricOfField(field, type === 'string');
    this.#newest = newest;
  }

  get lastTimeNs(): bigint {
    return this.#newest.timeOf(this.id);
  }

  get lastValue(): FieldValue {
    return this.#newest.valueOf(this.id);
  }
}

/** One measurement and tag set; a sensor that is renamed changes its tags. */
export interface TagSet {
  readonly measurement: string;
  tags: readonly Tag[];
  sensor: string;
  readonly location: string | undefined;
  readonly series: Map<string, Series>;
}

type Labelled = Pick<Point, 'measurement' | 'tags'>;

/** All series, by what identifies them. Ids grow in the order of creation, and are never used again. */
export class SeriesIndex {
  readonly newest = new NewestPoints();
  /** Removed ones stay, for the queries that still meet their rows. */
  readonly #byId: Series[] = [];
  readonly #byMeasurement = new Map<string, Map<string, TagSet>>();
  #byTags = new WeakMap<readonly Tag[], TagSet>();
  readonly #tagIndexes = new Map<string, TagIndex>();
  readonly #types = new Map<string, Map<string, FieldType>>();
  readonly #sensors = new Map<string, TagSet[]>();
  readonly #countByType = new Map<FieldType, number>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The id that the next new series gets. */
  get nextId(): number {
    return this.#byId.length;
  }

  byId(id: number): Series {
    return this.#byId[id]!;
  }

  /** True when a series of the type, there or removed, has an id between the two. */
  isAnyBetween(afterId: number, beforeId: number, type: FieldType): boolean {
    for (let id = afterId + 1; id < beforeId; id++) if (this.#byId[id]?.type === type) return true;
    return false;
  }

  /** The tag set of a point; undefined when there is none yet. */
  find(measurement: string, tags: readonly Tag[]): TagSet | undefined {
    const cached = this.#byTags.get(tags);
    if (cached !== undefined && cached.measurement === measurement) return cached;
    const tagSet = this.#byMeasurement.get(measurement)?.get(keyOf(tags));
    // What is not frozen could be changed and used again.
    if (tagSet !== undefined && Object.isFrozen(tags)) this.#byTags.set(tags, tagSet);
    return tagSet;
  }

  /** The tag set of a point, created when new. */
  tagSetOf({ measurement, tags }: Labelled): TagSet {
    const key = keyOf(tags);
    const known = this.#byMeasurement.get(measurement)?.get(key);
    if (known !== undefined) return known;
    const sensor = tagOf(tags, 'sensor') ?? '';
    const tagSet = { measurement, tags, sensor, location: tagOf(tags, 'location'), series: new Map() };
    this.#attach(tagSet, key);
    return tagSet;
  }

  /** The types that a measurement's fields are pinned to. */
  pinsOf(measurement: string): ReadonlyMap<string, FieldType> | undefined {
    return this.#types.get(measurement);
  }

  /** Adds a series and pins its field's type. */
  add(tagSet: TagSet, field: string, type: FieldType, id = this.nextId): Series {
    const series = new Series({ id, type, field, tagSet }, this.newest);
    this.newest.add(id);
    this.#byId[id] = series;
    this.#size += 1;
    tagSet.series.set(field, series);
    if (tagSet.series.size === 1) this.#tagIndexes.get(tagSet.measurement)?.add(tagSet);
    this.#countByType.set(type, this.countOf(type) + 1);
    getOrAdd(this.#types, tagSet.measurement, () => new Map()).set(field, type);
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

  /** Series of these measurements that pass the filter, by id. */
  selectFrom(measurements: readonly string[], { sensors, locations, metrics }: ReadingFilter): Series[] {
    const wantedSensors = toSet(sensors);
    const wantedLocations = toSet(locations);
    const wantedMetrics = toSet(metrics);
    const selected: Series[] = [];
    for (const measurement of new Set(measurements)) {
      for (const { sensor, location, series } of this.#byMeasurement.get(measurement)?.values() ?? []) {
        if (wantedSensors?.has(sensor) === false) continue;
        if (wantedLocations && (location === undefined || !wantedLocations.has(location))) continue;
        for (const item of series.values()) {
          if (!wantedMetrics || wantedMetrics.has(item.metric) || wantedMetrics.has(item.field))
            selected.push(item);
        }
      }
    }
    return selected.sort((one, other) => one.id - other.id);
  }

  /** What the platform's own measurements have of a sensor. */
  tagSetsOf(sensor: string): TagSet[] {
    return sensorMeasurements.flatMap((measurement) => {
      if (measurement === READINGS) return this.#sensors.get(sensor) ?? [];
      const tagSets = this.#byMeasurement.get(measurement)?.values() ?? [];
      return [...tagSets].filter((tagSet) => tagSet.sensor === sensor);
    });
  }

  /** Takes tag sets of the platform's own measurements off, with their series; the types stay pinned. */
  remove(tagSets: readonly TagSet[]): void {
    for (const tagSet of tagSets) {
      this.#detach(tagSet);
      this.#size -= tagSet.series.size;
      for (const { type } of tagSet.series.values()) this.#countByType.set(type, this.countOf(type) - 1);
    }
  }

  /** Measurements that have, or had, a field of the type. */
  measurementsOf(type: FieldType): string[] {
    return [...this.#types].flatMap(([measurement, pins]) =>
      [...pins.values()].includes(type) ? [measurement] : [],
    );
  }

  /** The series of a measurement, of every field and tag set. */
  *seriesOf(measurement: string): Iterable<Series> {
    for (const { series } of this.#byMeasurement.get(measurement)?.values() ?? []) yield* series.values();
  }

  /** Takes single series off; the types stay pinned. A tag set goes with the last of its series. */
  removeSeries(series: Iterable<Series>): void {
    for (const { tagSet, field, type } of series) {
      tagSet.series.delete(field);
      this.#size -= 1;
      this.#countByType.set(type, this.countOf(type) - 1);
      if (tagSet.series.size > 0) continue;
      const others = this.#sensors.get(tagSet.sensor)?.filter((other) => other !== tagSet) ?? [];
      this.#detach(tagSet);
      if (tagSet.measurement === READINGS && others.length > 0) this.#sensors.set(tagSet.sensor, others);
    }
  }

  /** Gives tag sets of the platform's own measurements to a sensor that has none. */
  rename(tagSets: readonly TagSet[], sensor: string): void {
    for (const tagSet of tagSets) {
      this.#detach(tagSet);
      tagSet.tags = renamedTags(tagSet.tags, sensor);
      tagSet.sensor = sensor;
      this.#attach(tagSet);
    }
  }

  /** Names of the measurements that have a series. */
  measurements(): string[] {
    return [...this.#byMeasurement].filter(([, tagSets]) => tagSets.size > 0).map(([name]) => name);
  }

  /** Tag sets of a measurement; none when there is no such measurement. */
  tagSetsIn(measurement: string): Iterable<TagSet> {
    return this.#byMeasurement.get(measurement)?.values() ?? [];
  }

  /** Tag sets of a measurement by their tags. */
  tagIndexOf(measurement: string): TagIndex {
    const tagSets = this.#byMeasurement.get(measurement);
    if (tagSets === undefined) return new TagIndex([]);
    return getOrAdd(
      this.#tagIndexes,
      measurement,
      () => new TagIndex({ [Symbol.iterator]: () => tagSets.values() }),
    );
  }

  /** Every measurement's fields with their types. */
  fields(): { measurement: string; field: string; type: FieldType }[] {
    return [...this.#types].flatMap(([measurement, pins]) =>
      [...pins].map(([field, type]) => ({ measurement, field, type })),
    );
  }

  #attach(tagSet: TagSet, key = keyOf(tagSet.tags)): void {
    const { measurement, sensor } = tagSet;
    getOrAdd(this.#byMeasurement, measurement, () => new Map()).set(key, tagSet);
    if (measurement !== READINGS) return;
    const tagSets = this.#sensors.get(sensor);
    // A list that begins empty takes room for many; most sensors have one.
    if (tagSets === undefined) this.#sensors.set(sensor, [tagSet]);
    else tagSets.push(tagSet);
  }

  #detach({ measurement, tags, sensor }: TagSet): void {
    const key = keyOf(tags);
    this.#byMeasurement.get(measurement)?.delete(key);
    // Made anew when it is asked for: taking one off would take a search in lists as long as the measurement.
    this.#tagIndexes.delete(measurement);
    if (measurement === READINGS) this.#sensors.delete(sensor);
    // It may know the tag set by tags that are not its own any more.
    this.#byTags = new WeakMap();
  }
}

/** Tags with another sensor; others stay as they are, and so does the order, which is by key. */
export function renamedTags(tags: readonly Tag[], sensor: string): readonly Tag[] {
  return tags.map(([key, value]): Tag => [key, key === 'sensor' ? sensor : value]);
}

function getOrAdd<K, V>(map: Map<K, V>, key: K, create: () => V): V {
  let value = map.get(key);
  if (value === undefined) {
    value = create();
    map.set(key, value);
  }
  return value;
}

/** Line protocol's own key is ambiguous where names end in a backslash. One flat text, since millions are kept. */
function keyOf(tags: readonly Tag[]): string {
  return JSON.stringify(tags);
}

function isGiven(list: readonly string[] | undefined): list is readonly string[] {
  return list !== undefined && list.length > 0;
}

function toSet(list: readonly string[] | undefined): Set<string> | undefined {
  return isGiven(list) ? new Set(list) : undefined;
}
