import { type Clock, type Config, NS_PER_MS, type Sensor, type SensorDirectory } from '@tidemark/core';
import type { Engine } from '@tidemark/store';
import type { SensorStates } from './sensor-states.ts';

/** Sensors that the store is asked about at once, and that are looked at in one turn of the event loop. */
const CHUNK = 500;

/** A registered sensor, and when it was last heard of; times are on the monotonic clock, in ms. */
interface Watch {
  seenAtMs: number;
  /** Up to when its silence was counted. */
  countedToMs: number;
  isSilent: boolean;
  /** Which look at the registry found it last. */
  look: number;
}

interface PresenceOptions {
  config: Config;
  clock: Clock;
  directory: SensorDirectory;
  engine: Pick<Engine, 'latest'>;
  states: SensorStates;
  /** When the platform last ran before this start; undefined at its first. */
  lastRanNs: bigint | undefined;
  /** A sensor has failed to report for so many more times its allowed silence. */
  onSilence: (sensor: string, times: number) => void;
}

/**
 * Which registered sensors report. A sensor is silent when it has sent nothing for N of its expected intervals;
 * it is counted once for each such time. Time in which the platform did not run is nobody's silence; what came
 * before is known from the store.
 */
export class Presence {
  readonly #options: PresenceOptions;
  readonly #watched = new Map<string, Watch>();
  readonly #startedAtMs: number;
  readonly #startedNs: bigint;
  #looks = 0;

  constructor(options: PresenceOptions) {
    this.#options = options;
    this.#startedAtMs = options.clock.monotonicMs();
    this.#startedNs = options.clock.nowNs();
  }

  /** When the sensor was last heard of, on the monotonic clock in ms; undefined when it never was. */
  seenAtMs(sensor: string): number | undefined {
    const { NEGATIVE_INFINITY: never } = Number;
    const found = Math.max(
      this.#options.states.find(sensor)?.seenAtMs ?? never,
      this.#watched.get(sensor)?.seenAtMs ?? never,
    );
    return found === never ? undefined : found;
  }

  isSilent(sensor: string): boolean {
    return (
      (this.#watched.get(sensor)?.isSilent ?? false) || this.#options.states.find(sensor)?.isDead === true
    );
  }

  /**
   * Looks at every registered sensor. `upToMs` is when everything accepted was last read. Rejects when the store
   * cannot say when a sensor that is new here was heard of; the next call asks again.
   */
  async look(upToMs: number): Promise<void> {
    const look = ++this.#looks;
    let chunk: Sensor[] = [];
    for (const sensor of this.#options.directory.sensors()) {
      chunk.push(sensor);
      if (chunk.length < CHUNK) continue;
      await this.#lookAt(chunk, upToMs, look);
      chunk = [];
    }
    await this.#lookAt(chunk, upToMs, look);
    for (const [sensor, watch] of this.#watched) if (watch.look !== look) this.#watched.delete(sensor);
  }

  async #lookAt(sensors: readonly Sensor[], upToMs: number, look: number): Promise<void> {
    await new Promise(setImmediate);
    const { maxSensors } = this.#options.config.quality;
    // Those without an interval may be any number that registered themselves; the others somebody declared.
    const wanted = sensors.filter(
      ({ id, expectedIntervalMs }) =>
        expectedIntervalMs !== undefined || this.#watched.has(id) || this.#watched.size < maxSensors,
    );
    await this.#beginWatching(wanted.filter(({ id }) => !this.#watched.has(id)));
    for (const sensor of wanted) this.#judge(sensor, upToMs, look);
  }

  #judge(sensor: Sensor, upToMs: number, look: number): void {
    const watch = this.#watched.get(sensor.id)!;
    const { config, states, onSilence } = this.#options;
    watch.look = look;
    const seenAtMs = Math.max(watch.seenAtMs, states.find(sensor.id)?.seenAtMs ?? Number.NEGATIVE_INFINITY);
    watch.seenAtMs = seenAtMs;
    const { expectedIntervalMs, state } = sensor;
    const countedToMs = watch.countedToMs;
    watch.countedToMs = Math.max(upToMs, countedToMs);
    watch.isSilent = false;
    if (expectedIntervalMs === undefined || state !== 'active') return;
    const allowedMs = expectedIntervalMs * config.quality.silentIntervals;
    const timesNow = timesIn(upToMs - seenAtMs, allowedMs);
    const times = timesNow - timesIn(countedToMs - seenAtMs, allowedMs);
    watch.isSilent = timesNow > 0;
    if (times > 0) onSilence(sensor.id, times);
  }

  async #beginWatching(sensors: readonly Sensor[]): Promise<void> {
    if (sensors.length === 0) return;
    const newest = new Map<string, bigint>();
    for (const { sensor, timeNs } of await this.#options.engine.latest({ sensors: sensors.map(idOf) })) {
      if (timeNs > (newest.get(sensor) ?? 0n)) newest.set(sensor, timeNs);
    }
    for (const { id, createdNs, updatedNs } of sensors) {
      this.#watched.set(id, {
        // One that never reported has been silent since it was declared.
        seenAtMs: this.#toMonotonicMs(newest.get(id) ?? createdNs),
        // What was before is counted already, or was nobody's wish.
        countedToMs: Math.max(this.#startedAtMs, this.#toMonotonicMs(updatedNs)),
        isSilent: false,
        look: this.#looks,
      });
    }
  }

  /** The time on the monotonic clock, as if the platform had not stood still. */
  #toMonotonicMs(timeNs: bigint): number {
    const { clock, lastRanNs } = this.#options;
    const stoodStillNs = lastRanNs === undefined ? 0n : this.#startedNs - lastRanNs;
    const ageNs = clock.nowNs() - timeNs;
    const ranNs = timeNs < (lastRanNs ?? 0n) && stoodStillNs > 0n ? ageNs - stoodStillNs : ageNs;
    return clock.monotonicMs() - Math.max(0, Number(ranNs / NS_PER_MS));
  }
}

function timesIn(quietMs: number, allowedMs: number): number {
  return Math.max(0, Math.floor(quietMs / allowedMs));
}

function idOf({ id }: Sensor): string {
  return id;
}
