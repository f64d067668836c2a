import type { PointColumns } from '@tidemark/core';
import {
  type Config,
  type QualityCheck,
  READINGS,
  type Sensor,
  type SensorDirectory,
  type Tag,
  TRAVELLERS,
} from '@tidemark/core';
import { KnownTimes } from './known-times.ts';
import { createMetricRules, type MetricRules } from './metric-rules.ts';
import type { SensorState, SensorStates, SeriesState } from './sensor-states.ts';

/** How a reading was taken in. */
interface Acceptance {
  /** In ms since 1970. */
  acceptedMs: number;
  /** As it was found then. */
  isLate: boolean;
  /** On the monotonic clock; −∞ for what was checked before the start. */
  seenAtMs: number;
}

/** A value that has been the same since it was first seen, and perhaps before. */
export interface UnsureRun {
  sensor: string;
  metric: string;
  /** How long it may stay the same. */
  stuckMs: number;
  series: SeriesState;
}

/** Such values that wait to be looked into; of more, what was before they were seen is not known. */
const MAX_UNSURE_RUNS = 100_000;

interface ReadingChecksOptions {
  config: Config;
  directory: SensorDirectory;
  states: SensorStates;
  /** Told of each check that a reading fails; `ageMs` is how old the reading was when it was accepted. */
  onFailure: (sensor: string, check: QualityCheck, ageMs: number) => void;
}

interface Remembered {
  sensor: string;
  metric: string;
  value: number;
  timeMs: number;
}

/** The checks of every reading. Nothing here refuses one; what fails is told. */
export class ReadingChecks {
  readonly #options: ReadingChecksOptions;
  readonly #isOn: ReadonlySet<QualityCheck>;
  readonly #skewMs: number;
  readonly #jumpWithinMs: number;
  readonly #rulesOf: (metric: string) => MetricRules;
  readonly #times = new KnownTimes();
  readonly #derived: ReadonlySet<string>;
  #unsureRuns: UnsureRun[] = [];
  /** Metrics whose values are compared with the one before. */
  readonly comparedMetrics: readonly string[];

  constructor(options: ReadingChecksOptions) {
    const { quality, lateness, derived } = options.config;
    this.#derived = new Set(derived.map(({ metric }) => metric));
    this.#options = options;
    this.#isOn = new Set(quality.checks);
    this.#skewMs = lateness.skewMs;
    this.#jumpWithinMs = quality.jumpWithinMs;
    const { rulesOf, comparedMetrics } = createMetricRules({
      jumps: this.#isOn.has('jump') ? quality.jumps : [],
      stuck: this.#isOn.has('stuck') ? quality.stuck : [],
    });
    this.#rulesOf = rulesOf;
    this.comparedMetrics = comparedMetrics;
  }

  /**
   * Checks the point at `index`; only readings are checked, and a traveller's position is a sign of life. Returns the
   * sensor whose it is.
   */
  check(
    points: PointColumns,
    index: number,
    { acceptedMs, isLate, seenAtMs }: Acceptance,
  ): string | undefined {
    const measurement = points.measurementOf(index);
    if (measurement === TRAVELLERS) return this.#noteSeen(points, index, seenAtMs);
    if (measurement !== READINGS) return undefined;
    const sensor = sensorOf(points.tagsOf(index));
    if (sensor === undefined || this.#isDerived(points, index)) return undefined;
    const { times } = points;
    const state = this.#options.states.of(sensor);
    // What has to be exact is compared as it is.
    const timeMs = times.msAt(index);
    const ageMs = acceptedMs - timeMs;
    if (Math.abs(ageMs) > this.#skewMs) this.#fail(sensor, 'clock', ageMs);
    if (isLate) this.#fail(sensor, 'late', ageMs);
    const declared = this.#options.directory.sensor(sensor);
    const isNewest = timeMs > state.newestMs;
    if (isNewest) state.newestMs = timeMs;
    let isDuplicate = false;
    const end = points.fieldEndOf(index);
    for (let field = points.firstFieldOf(index); field < end; field++) {
      const metric = points.fieldAt(field);
      const value = points.valueAt(field);
      const rules = this.#rulesOf(metric);
      const { number } = state;
      const isKnown = this.#times.add(
        number,
        rules.number,
        times.highAt(index),
        times.lowAt(index),
        isNewest,
      );
      if (isKnown) isDuplicate = true;
      else if (rules.needsLast && typeof value === 'number')
        this.#checkChange(sensor, state, { metric, rules, value, timeMs, ageMs });
      if (typeof value === 'number') this.#checkValue(sensor, { metric, rules, value, declared, ageMs });
    }
    if (isDuplicate) this.#fail(sensor, 'duplicate', ageMs);
    state.seenAtMs = seenAtMs;
    state.isDead = false;
    // What is only remembered was counted when it was checked.
    if (seenAtMs !== Number.NEGATIVE_INFINITY) state.readings++;
    return sensor;
  }

  #noteSeen(points: PointColumns, index: number, seenAtMs: number): string | undefined {
    const sensor = sensorOf(points.tagsOf(index));
    if (sensor === undefined) return undefined;
    const state = this.#options.states.of(sensor);
    state.seenAtMs = seenAtMs;
    state.isDead = false;
    return sensor;
  }

  /** What the platform computed is no sign of life, and is told again whenever it has changed. */
  #isDerived(points: PointColumns, index: number): boolean {
    return this.#derived.size > 0 && this.#derived.has(points.fieldAt(points.firstFieldOf(index)));
  }

  /** The sensor whose death the point at `index` tells, which was not known to be dead. */
  death(points: PointColumns, index: number): string | undefined {
    if (points.measurementOf(index) !== 'sensor_state') return undefined;
    if (points.fieldAt(points.firstFieldOf(index)) !== 'died') return undefined;
    const sensor = sensorOf(points.tagsOf(index));
    const state = sensor === undefined ? undefined : this.#options.states.of(sensor);
    if (state === undefined || state.isDead) return undefined;
    state.isDead = true;
    return sensor;
  }

  /** Takes up a value from before the start, where nothing newer is known; as many as may be, so that none is forgotten. */
  remember({ sensor, metric, value, timeMs }: Remembered): void {
    const { states } = this.#options;
    if (states.isFull) return;
    const state = states.of(sensor);
    if (!state.series?.has(metric)) this.#begin(state, { sensor, metric, value, timeMs });
  }

  /** Hands over values of which it is not known since when they have been the same. */
  takeUnsureRuns(limit: number): UnsureRun[] {
    return this.#unsureRuns.splice(0, limit).filter(({ series }) => !series.isSinceKnown);
  }

  #begin(state: SensorState, { sensor, metric, value, timeMs }: Remembered): void {
    const series = { value, timeMs, sinceMs: timeMs, isSinceKnown: false };
    state.series ??= new Map();
    state.series.set(metric, series);
    const { stuckMs } = this.#rulesOf(metric);
    if (stuckMs < Number.POSITIVE_INFINITY && this.#unsureRuns.length < MAX_UNSURE_RUNS)
      this.#unsureRuns.push({ sensor, metric, stuckMs, series });
  }

  #checkValue(
    sensor: string,
    reading: {
      metric: string;
      rules: MetricRules;
      value: number;
      declared: Sensor | undefined;
      ageMs: number;
    },
  ): void {
    const { metric, rules, value, declared, ageMs } = reading;
    const { bound } = rules;
    if (bound !== undefined && Math.abs(value) > bound.degrees) this.#fail(sensor, bound.check, ageMs);
    const declaration = declared?.metrics[metric];
    if (declaration === undefined) return;
    const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY } = declaration;
    if (value < min || value > max) this.#fail(sensor, 'range', ageMs);
  }

  /** Compares with the value before it in time; one that comes out of order is compared with nothing. */
  #checkChange(
    sensor: string,
    state: SensorState,
    reading: { metric: string; rules: MetricRules; value: number; timeMs: number; ageMs: number },
  ): void {
    const { metric, rules, value, timeMs, ageMs } = reading;
    const last = state.series?.get(metric);
    if (last === undefined) {
      this.#begin(state, { sensor, metric, value, timeMs });
      return;
    }
    if (timeMs <= last.timeMs) return;
    const isNear = timeMs - last.timeMs <= this.#jumpWithinMs;
    if (isNear && Math.abs(value - last.value) > rules.jump) this.#fail(sensor, 'jump', ageMs);
    if (value !== last.value) {
      last.sinceMs = timeMs;
      last.isSinceKnown = true;
    } else if (timeMs - last.sinceMs > rules.stuckMs) this.#fail(sensor, 'stuck', ageMs);
    last.value = value;
    last.timeMs = timeMs;
  }

  #fail(sensor: string, check: QualityCheck, ageMs: number): void {
    if (this.#isOn.has(check)) this.#options.onFailure(sensor, check, ageMs);
  }
}

/** From behind: the tags are sorted, and what a reading has besides is its location. */
function sensorOf(tags: readonly Tag[]): string | undefined {
  for (let index = tags.length - 1; index >= 0; index--) {
    const tag = tags[index]!;
    if (tag[0] === 'sensor') return tag[1];
  }
  return undefined;
}
