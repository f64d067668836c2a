import {
  type Clock,
  floorDivide,
  knownLocation,
  NS_PER_SECOND,
  type Point,
  READINGS,
  type Sensor,
  type SensorDirectory,
  TEXT_SUFFIX,
  tagsOf,
} from '@tidemark/core';
import type { Engine } from '@tidemark/store';

/** Points of one record of the log. */
const CHUNK = 500;
/** Pairs of sensor and metric, each a series of the store: they are for people to choose from. */
const MAX_SERIES = 50_000;
const NS_PER_HOUR = 3600n * NS_PER_SECOND;
/** All sensors are gone through. */
const LOOK_EVERY_NS = 10n * NS_PER_SECOND;

interface MetricWriterOptions {
  clock: Clock;
  /** Writes into the log; on a disk that takes nothing it never resolves. */
  append: (points: readonly Point[]) => Promise<void>;
  directory: SensorDirectory;
  engine: Pick<Engine, 'fields'>;
}

/** The fields of all readings together. */
interface Stored {
  numbers: ReadonlySet<string>;
  texts: ReadonlySet<string>;
}

/**
 * Writes the measurement `sensor_metrics`: which sensor has which metric that is a number. InfluxQL knows the fields of
 * a measurement, not those of a sensor; values of a tag it can tell by those of others. Points stand at the start of the
 * hour and come again with each, since InfluxDB 3 looks for values of tags in the newest day alone; those of a sensor
 * that is new, or has changed, come within seconds.
 */
export class MetricWriter {
  readonly #options: MetricWriterOptions;
  /** How many metrics of a sensor, as it was then, were written in this hour; Infinity: all that it has. */
  #written = new WeakMap<Sensor, number>();
  #series = 0;
  #hourNs = 0n;
  #nextLookNs = 0n;

  constructor(options: MetricWriterOptions) {
    this.#options = options;
  }

  /** Writes what is new, and all of it when an hour has begun. Rejects when the log takes nothing. */
  async write(): Promise<void> {
    const { clock, directory, engine } = this.#options;
    const nowNs = clock.nowNs();
    if (nowNs < this.#nextLookNs && this.#nextLookNs - nowNs <= LOOK_EVERY_NS) return;
    this.#nextLookNs = nowNs + LOOK_EVERY_NS;
    this.#beginHour(floorDivide(nowNs, NS_PER_HOUR) * NS_PER_HOUR);
    const due = Iterator.from(directory.sensors())
      .filter((sensor) => this.#isDue(sensor))
      .toArray();
    if (due.length === 0) return;
    // A store that does not answer is told of by the batch writer.
    const stored = await engine.fields().then(storedOf, () => undefined);
    if (stored === undefined) return;
    let points: Point[] = [];
    for (const sensor of due) {
      points.push(...this.#pointsOf(sensor, stored, nowNs));
      if (points.length < CHUNK) continue;
      await this.#options.append(points);
      points = [];
    }
    if (points.length > 0) await this.#options.append(points);
  }

  #beginHour(hourNs: bigint): void {
    if (hourNs === this.#hourNs) return;
    this.#hourNs = hourNs;
    this.#written = new WeakMap();
    this.#series = 0;
  }

  #isDue(sensor: Sensor): boolean {
    return sensor.state !== 'retired' && this.#written.get(sensor) !== Number.POSITIVE_INFINITY;
  }

  /** All of a sensor's metrics where there is one more than were written. */
  #pointsOf(sensor: Sensor, { numbers, texts }: Stored, nowNs: bigint): Point[] {
    const names = Object.keys(sensor.metrics);
    const known = names.filter((metric) => numbers.has(metric));
    const isWhole = names.every((metric) => numbers.has(metric) || texts.has(metric));
    const writtenBefore = this.#written.get(sensor) ?? 0;
    this.#written.set(sensor, isWhole ? Number.POSITIVE_INFINITY : known.length);
    if (known.length <= writtenBefore || this.#series + known.length > MAX_SERIES) return [];
    this.#series += known.length;
    const tags = tagsOf(sensor.id, knownLocation(sensor, nowNs));
    const [sensorTag, ...placeTags] = tags.toReversed();
    return known.map((metric) => ({
      measurement: 'sensor_metrics',
      tags: [...placeTags, ['metric', metric], sensorTag!],
      fields: [['known', 1]],
      timeNs: this.#hourNs,
    }));
  }
}

function storedOf(fields: Awaited<ReturnType<Engine['fields']>>): Stored {
  const ofReadings = fields.filter(({ measurement }) => measurement === READINGS);
  const isText = ({ type, field }: { type: string; field: string }) =>
    type === 'string' && field.endsWith(TEXT_SUFFIX);
  return {
    numbers: new Set(ofReadings.filter((field) => !isText(field)).map(({ field }) => field)),
    texts: new Set(ofReadings.filter(isText).map(({ field }) => field.slice(0, -TEXT_SUFFIX.length))),
  };
}
