import {
  type Config,
  encodeSeriesKey,
  locationAt,
  type Point,
  READINGS,
  type Sensor,
  type SensorRegistrar,
  type Tag,
  TRAVELLERS,
  tagsOf,
} from '@tidemark/core';
import type { DraftPosition, DraftReading, Fault } from './decoders/decoded.ts';
import type { Watermark } from './lateness.ts';
import type { IngestMetrics } from './metrics.ts';

/** Of each sensor: at no location, where it is, and where it was before. With fewer, a full registry would thrash. */
const KNOWN_SERIES_PER_SENSOR = 3;

/** A registered sensor and what its readings need of it, so that each costs one look-up. */
export interface KnownSensor {
  sensor: Sensor;
  /** Tags of its readings at no location. */
  tags: readonly Tag[];
  tagsAt: Map<string, readonly Tag[]> | undefined;
  /** Of its readings, once one was accepted. */
  watermark: Watermark | undefined;
  /** Tags of positions of its travellers, by their type. */
  tagsOfType: Map<string, readonly Tag[]> | undefined;
}

/** A reading as far as its place is concerned; line protocol has them too. */
export type Placeable = Pick<DraftReading, 'index' | 'sensor' | 'location' | 'values' | 'raw'>;

interface PlacementOptions {
  registrar: SensorRegistrar;
  limits: Pick<Config['registry'], 'mode' | 'maxSensors'>;
  metrics: IngestMetrics;
}

/**
 * Asks the registry whose a reading is and where it was made. In open mode an unknown sensor registers itself,
 * and a message's location stands where none is declared; in strict mode both are refused.
 */
export class Placement {
  readonly #options: PlacementOptions;
  readonly isStrict: boolean;
  readonly #known = new Map<string, KnownSensor>();
  readonly #keyOfTags = new WeakMap<readonly Tag[], string>();
  /** Series whose tags and key are remembered; beyond `maxSeries` all are forgotten. */
  #series = 0;
  readonly #maxSeries: number;
  #changes = 0;

  constructor(options: PlacementOptions) {
    this.#options = options;
    this.isStrict = options.limits.mode === 'strict';
    this.#maxSeries = KNOWN_SERIES_PER_SENSOR * options.limits.maxSensors;
  }

  /** The sensor that reports under this id; undefined when it is not registered. */
  find(id: string): KnownSensor | undefined {
    const { registrar } = this.#options;
    if (registrar.changes !== this.#changes || this.#series >= this.#maxSeries) {
      this.#known.clear();
      this.#series = 0;
      this.#changes = registrar.changes;
    }
    const known = this.#known.get(id);
    if (known) return known;
    const sensor = registrar.sensor(id);
    return sensor && this.#remember(id, sensor);
  }

  /**
   * The tags that the reading is stored with, at its time; undefined when it is refused, with its fault added.
   * Values of metrics that the sensor may not have are taken out, as a fault.
   */
  tagsFor(
    known: KnownSensor | undefined,
    draft: Placeable,
    timeNs: bigint,
    faults: Fault[],
  ): readonly Tag[] | undefined {
    const owner = known ?? this.#admit(draft, faults);
    if (owner === undefined) return undefined;
    for (const [metric] of draft.values) {
      if (metric in owner.sensor.metrics) continue;
      if (!this.#admitMetrics(owner, draft, faults)) return undefined;
      break;
    }
    const declared = locationAt(owner.sensor, timeNs);
    if (draft.location !== undefined && draft.location !== declared)
      return this.#tagsOfDifference(owner, declared, draft.location, draft, faults);
    return declared === undefined ? owner.tags : this.#tagsAt(owner, declared);
  }

  /** The tags that a position of a traveller has in the log; undefined when it is refused, with its fault added. */
  travellerTagsFor(
    known: KnownSensor | undefined,
    { type, ...draft }: Omit<DraftPosition, 'traveller' | 'x' | 'y' | 'timeNs'>,
    faults: Fault[],
  ): readonly Tag[] | undefined {
    const owner = known ?? this.#admit({ ...draft, location: undefined, values: [] }, faults);
    if (owner === undefined) return undefined;
    owner.tagsOfType ??= new Map();
    let tags = owner.tagsOfType.get(type);
    if (tags === undefined) {
      tags = this.#shared(TRAVELLERS, [
        ['sensor', owner.sensor.id],
        ['type', type],
      ]);
      owner.tagsOfType.set(type, tags);
    }
    return tags;
  }

  /** The key of a series whose tags came from here; others' keys are made anew. */
  readonly keyOf = ({ measurement, tags }: Point): string =>
    this.#keyOfTags.get(tags) ?? encodeSeriesKey(measurement, tags);

  /** Where the message says another place than the registry, or the registry none. */
  #tagsOfDifference(
    known: KnownSensor,
    declared: string | undefined,
    said: string,
    draft: Placeable,
    faults: Fault[],
  ): readonly Tag[] | undefined {
    if (this.isStrict) {
      const place = declared === undefined ? 'at no declared location' : `at ${declared}`;
      const detail = `the message names location ${said}; the sensor was ${place} at that time`;
      faults.push(faultOf(draft, 'wrong_location', detail));
      return undefined;
    }
    if (declared !== undefined) {
      this.#options.metrics.countLocationDifference();
      return this.#tagsAt(known, declared);
    }
    const { sensor } = known;
    if (sensor.stays.length === 0 && sensor.reportedLocation !== said)
      known.sensor = this.#options.registrar.reportLocation(sensor, said);
    return this.#tagsAt(known, said);
  }

  #admit(draft: Placeable, faults: Fault[]): KnownSensor | undefined {
    const { sensor: id, location, values } = draft;
    if (this.isStrict) {
      const detail = `no sensor ${id} is registered; register it, then replay this`;
      faults.push(faultOf(draft, 'unknown_sensor', detail));
      return undefined;
    }
    const names = values.map(([metric]) => metric);
    const sensor = this.#options.registrar.register(id, location, names);
    if (sensor) return this.#remember(id, sensor);
    const detail = 'no more sensors can register themselves: a limit of the registry is reached';
    faults.push(faultOf(draft, 'too_many_sensors', detail));
    return undefined;
  }

  /** False when no value is left. */
  #admitMetrics(known: KnownSensor, draft: Placeable, faults: Fault[]): boolean {
    const refused = new Set<string>();
    for (const [metric] of draft.values) {
      if (metric in known.sensor.metrics) continue;
      const sensor = this.#options.registrar.reportMetric(known.sensor, metric);
      if (sensor === undefined) refused.add(metric);
      else known.sensor = sensor;
    }
    if (refused.size === 0) return true;
    const detail = `the sensor has as many metrics as it may; not ${[...refused].join(', ')}`;
    faults.push(faultOf(draft, 'too_many_metrics', detail));
    draft.values = draft.values.filter(([metric]) => !refused.has(metric));
    return draft.values.length > 0;
  }

  #remember(id: string, sensor: Sensor): KnownSensor {
    const tags = this.#seriesOf(sensor.id, undefined);
    const known = { sensor, tags, tagsAt: undefined, watermark: undefined, tagsOfType: undefined };
    this.#known.set(id, known);
    return known;
  }

  #tagsAt(known: KnownSensor, location: string): readonly Tag[] {
    known.tagsAt ??= new Map();
    const found = known.tagsAt.get(location);
    if (found) return found;
    const tags = this.#seriesOf(known.sensor.id, location);
    known.tagsAt.set(location, tags);
    return tags;
  }

  /** Points of one series share their tags array, so that whoever comes later can know the series by it. */
  #seriesOf(sensor: string, location: string | undefined): readonly Tag[] {
    return this.#shared(READINGS, tagsOf(sensor, location));
  }

  #shared(measurement: string, tags: readonly Tag[]): readonly Tag[] {
    // Frozen, they may stand for their series wherever the point goes.
    Object.freeze(tags);
    this.#keyOfTags.set(tags, encodeSeriesKey(measurement, tags));
    this.#series++;
    return tags;
  }
}

function faultOf({ index, sensor, raw }: Placeable, reason: Fault['reason'], detail: string): Fault {
  return { index, sensor, raw, reason, detail };
}
