import {
  type Clock,
  type Config,
  knownLocation,
  type Point,
  type Sensor,
  type SensorDirectory,
  tagsOf,
} from '@tidemark/core';
import { countToPoint, type FailureCounts } from './failure-counts.ts';
import { minuteOf, startOfMinute } from './minutes.ts';
import type { Presence } from './presence.ts';
import type { SensorStates } from './sensor-states.ts';

/** Points of one record of the log. */
const CHUNK = 500;

interface MinuteWriterOptions {
  config: Config;
  clock: Clock;
  /** Writes into the log; on a disk that takes nothing it never resolves. */
  append: (points: readonly Point[]) => Promise<void>;
  directory: SensorDirectory;
  counts: FailureCounts;
  presence: Presence;
  states: SensorStates;
}

/** The sensors of one location together. */
interface PlaceState {
  sensors: number;
  up: number;
  /** Since the minute before. */
  readings: number;
}

/**
 * Writes the platform's own measurements, `quality`, `quarantine`, `sensor_state` and `location_state`, into the log, from where they
 * go the way of every point. A minute's point stands at its start: written again after a crash it changes nothing.
 */
export class MinuteWriter {
  readonly #options: MinuteWriterOptions;
  #writtenMinute: number;

  constructor(options: MinuteWriterOptions) {
    this.#options = options;
    this.#writtenMinute = minuteOf(options.clock.nowNs());
  }

  /** Writes the counts of the minutes that ended and, once a minute, the state of every sensor. */
  async write(): Promise<void> {
    const nowNs = this.#options.clock.nowNs();
    await this.#writeCounts(nowNs);
    const minute = minuteOf(nowNs);
    if (minute === this.#writtenMinute) return;
    this.#writtenMinute = minute;
    await this.#writeStates(minute);
  }

  async #writeCounts(nowNs: bigint): Promise<void> {
    const { counts } = this.#options;
    for (let rows = counts.unwritten(nowNs, CHUNK); rows.length > 0; ) {
      await this.#options.append(rows.map(countToPoint));
      counts.markWritten(rows);
      rows = rows.length < CHUNK ? [] : counts.unwritten(nowNs, CHUNK);
    }
  }

  async #writeStates(minute: number): Promise<void> {
    const minuteNs = startOfMinute(minute);
    let points: Point[] = [];
    let left = this.#options.config.quality.maxSensors;
    // What was counted belongs to the minute that ended, as the counts of failures do.
    const endedNs = startOfMinute(minute - 1);
    const places = new Map<string | undefined, PlaceState>();
    for (const sensor of this.#options.directory.sensors()) {
      if (sensor.state === 'retired') continue;
      if (left-- === 0) break;
      points.push(this.#stateOf(sensor, minuteNs));
      this.#addTo(places, sensor, minuteNs);
      if (points.length < CHUNK) continue;
      await this.#options.append(points);
      points = [];
    }
    points.push(...[...places].map(([location, state]) => placeToPoint(location, state, endedNs)));
    if (points.length > 0) await this.#options.append(points);
  }

  #addTo(places: Map<string | undefined, PlaceState>, sensor: Sensor, minuteNs: bigint): void {
    const location = knownLocation(sensor, minuteNs);
    const place = places.get(location) ?? { sensors: 0, up: 0, readings: 0 };
    places.set(location, place);
    place.sensors++;
    if (this.#isUp(sensor)) place.up++;
    place.readings += this.#options.states.takeReadings(sensor.id);
  }

  #isUp({ id }: Sensor): boolean {
    const { presence } = this.#options;
    return presence.seenAtMs(id) !== undefined && !presence.isSilent(id);
  }

  #stateOf(sensor: Sensor, minuteNs: bigint): Point {
    const { clock, directory, presence } = this.#options;
    const location = knownLocation(sensor, minuteNs);
    const place = location === undefined ? undefined : directory.location(location);
    const seenAtMs = presence.seenAtMs(sensor.id);
    const fields: [string, number | undefined][] = [
      // First, as a device's death is told: so that it is known again after a restart.
      ['died', this.#options.states.find(sensor.id)?.isDead ? 1 : undefined],
      ['lat', place?.latitude],
      ['lon', place?.longitude],
      [
        'last_seen_s',
        seenAtMs === undefined ? undefined : Math.round((clock.monotonicMs() - seenAtMs) / 1000),
      ],
      [
        'expected_interval_s',
        sensor.expectedIntervalMs === undefined ? undefined : sensor.expectedIntervalMs / 1000,
      ],
      ['up', Number(this.#isUp(sensor))],
    ];
    return {
      measurement: 'sensor_state',
      tags: tagsOf(sensor.id, location),
      fields: fields.filter((field): field is [string, number] => field[1] !== undefined),
      timeNs: minuteNs,
    };
  }
}

function placeToPoint(location: string | undefined, state: PlaceState, timeNs: bigint): Point {
  return {
    measurement: 'location_state',
    tags: location === undefined ? [] : [['location', location]],
    fields: Object.entries(state),
    timeNs,
  };
}
