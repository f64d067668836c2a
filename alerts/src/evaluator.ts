import {
  type LoggedMessage,
  NS_PER_MS,
  type PointColumns,
  READINGS,
  type Sensor,
  type SensorDirectory,
  type StoredRule,
  TEXT_SUFFIX,
  TRAVELLERS,
  tagOf,
} from '@tidemark/core';
import { RuleIndex } from './rule-index.ts';
import { type ActiveRule, activate, createSeries, type Series } from './series.ts';
import { isLate, type Step, step } from './series-state.ts';

/** Sensors whose rules are remembered; all are found anew when there are more. */
const MAX_ENTRIES = 1_000_000;
const none: readonly Series[] = [];

interface EvaluatorOptions {
  directory: SensorDirectory;
  /** Series of all rules together; readings of more are not evaluated, and counted. */
  maxSeries: number;
  /** A reading has changed a series; it is old when it was older on acceptance than its rule notifies about. */
  onStep: (series: Series, step: Step, timeNs: bigint, isOld: boolean) => void;
  /** The first reading that is not old, of a series that only old ones had made fire. */
  onCurrent: (series: Series, timeNs: bigint) => void;
  onLate: () => void;
  onExcess: () => void;
}

/** Which series a sensor's readings belong to, as long as the sensor is what it was. */
interface Entry {
  sensor: Sensor | undefined;
  location: string | undefined;
  /** The sensor's id of now; readings may come under one that it had before. */
  id: string;
  byMetric: Map<string, readonly Series[]>;
  /** Of rules about all that it reports. */
  whole: readonly Series[];
}

/** Brings each reading to the rules that concern it, and to no other. */
export class Evaluator {
  readonly #options: EvaluatorOptions;
  readonly #rules = new Map<string, ActiveRule>();
  #byMetric = new Map<string, RuleIndex>();
  #absentByMetric = new Map<string, RuleIndex>();
  #wholeSensor = new RuleIndex([]);
  #quality: ActiveRule[] = [];
  readonly #entries = new Map<string, Entry>();
  #seriesCount = 0;

  constructor(options: EvaluatorOptions) {
    this.#options = options;
  }

  get rules(): ReadonlyMap<string, ActiveRule> {
    return this.#rules;
  }

  get seriesCount(): number {
    return this.#seriesCount;
  }

  /** Adds a rule, or puts it in place of one of its id, whose series it takes over when `keepsSeries`. */
  set(rule: StoredRule, keepsSeries: boolean): ActiveRule {
    const before = this.#rules.get(rule.id);
    const active = activate(rule, this.#options.directory);
    this.#rules.set(rule.id, active);
    if (before !== undefined) this.#seriesCount -= before.series.size;
    if (keepsSeries && before !== undefined) {
      for (const [sensor, series] of before.series) {
        series.rule = active;
        active.series.set(sensor, series);
      }
      this.#seriesCount += active.series.size;
    }
    this.#index();
    return active;
  }

  remove(id: string): void {
    this.#seriesCount -= this.#rules.get(id)?.series.size ?? 0;
    this.#rules.delete(id);
    this.#index();
  }

  /** The series of a sensor under a rule, new where there is none; undefined when there are too many. */
  seriesOf(rule: ActiveRule, sensor: string, ranMs: number): Series | undefined {
    const known = rule.series.get(sensor);
    if (known !== undefined) return known;
    if (this.#seriesCount >= this.#options.maxSeries) {
      this.#options.onExcess();
      return undefined;
    }
    const series = createSeries(rule, sensor, ranMs);
    rule.series.set(sensor, series);
    this.#seriesCount++;
    return series;
  }

  /** Forgets a series; the next reading of its sensor begins it anew. */
  forget({ rule, sensor }: Series): void {
    if (rule.series.delete(sensor)) this.#seriesCount--;
    this.#entries.clear();
  }

  /** Evaluates messages in the order of their acceptance; `ranMs` is the run clock's time. */
  take(messages: readonly LoggedMessage[], ranMs: number): void {
    for (const { columns, firstPoint, pointEnd, acceptedMs } of messages) {
      for (let index = firstPoint; index < pointEnd; index++) {
        const measurement = columns.measurementOf(index);
        if (measurement === READINGS) this.#takeReading(columns, index, acceptedMs, ranMs);
        // Of a camera, positions are what is heard.
        else if (measurement === TRAVELLERS)
          this.#heardOf(this.#entryOf(columns, index, ranMs), columns, index, ranMs);
        else if (measurement === 'quality' && this.#quality.length > 0)
          this.#takeFailure(columns, index, acceptedMs, ranMs);
      }
    }
  }

  /** Remembers the newest values of messages that were evaluated before this start. */
  recall(messages: readonly LoggedMessage[], ranMs: number): void {
    for (const { columns, firstPoint, pointEnd, acceptedMs } of messages)
      for (let index = firstPoint; index < pointEnd; index++)
        if (columns.measurementOf(index) === READINGS) this.#remember(columns, index, acceptedMs, ranMs);
  }

  #remember(columns: PointColumns, index: number, acceptedMs: number, ranMs: number): void {
    const entry = this.#entryOf(columns, index, ranMs);
    const timeMs = columns.times.msAt(index);
    const end = columns.fieldEndOf(index);
    for (let field = columns.firstFieldOf(index); field < end; field++) {
      const value = columns.valueAt(field);
      for (const series of this.#seriesIn(entry, columns.fieldAt(field), ranMs)) {
        if (typeof value !== 'number' || isLate(series, timeMs, acceptedMs)) continue;
        series.timeMs = timeMs;
        series.value = value;
      }
    }
  }

  #takeReading(columns: PointColumns, index: number, acceptedMs: number, ranMs: number): void {
    const entry = this.#entryOf(columns, index, ranMs);
    this.#heardOf(entry, columns, index, ranMs);
    const end = columns.fieldEndOf(index);
    for (let field = columns.firstFieldOf(index); field < end; field++) {
      const concerned = this.#seriesIn(entry, columns.fieldAt(field), ranMs);
      if (concerned.length === 0) continue;
      const value = columns.valueAt(field);
      for (const series of concerned) {
        if (series.rule.rule.condition.kind === 'absent') this.#heard(series, columns, index, ranMs);
        else if (typeof value === 'number') this.#evaluate(series, value, columns, index, acceptedMs);
      }
    }
  }

  #evaluate(series: Series, value: number, { times }: PointColumns, index: number, acceptedMs: number): void {
    const { rule } = series.rule;
    const timeMs = times.msAt(index);
    const made = step(rule, series, value, timeMs, acceptedMs);
    const isFiringStill = made === 'none' && series.phase === 'firing';
    if (made === 'none' && !isFiringStill) return;
    if (made === 'late') {
      this.#options.onLate();
      return;
    }
    const isOld = acceptedMs - timeMs > rule.notifyWithinMs;
    if (!isFiringStill) this.#options.onStep(series, made, times.at(index), isOld);
    else if (!isOld && series.episode?.isCurrent === false) this.#options.onCurrent(series, times.at(index));
  }

  #heardOf(entry: Entry, columns: PointColumns, index: number, ranMs: number): void {
    for (const series of entry.whole) this.#heard(series, columns, index, ranMs);
  }

  /** A reading came of a sensor that is watched for absence. */
  #heard(series: Series, columns: PointColumns, index: number, ranMs: number): void {
    series.seenRanMs = ranMs;
    if (series.phase === 'ok') return;
    const wasFiring = series.phase === 'firing';
    series.phase = 'ok';
    this.#options.onStep(series, wasFiring ? 'resolved' : 'ended', columns.times.at(index), false);
  }

  /** A minute's count of failed checks, as the platform writes it into the log. */
  #takeFailure(columns: PointColumns, index: number, acceptedMs: number, ranMs: number): void {
    const tags = columns.tagsOf(index);
    const check = tagOf(tags, 'check');
    const name = tagOf(tags, 'sensor') ?? '';
    const sensor = this.#options.directory.sensor(name);
    // Those beyond what is counted apart are nobody's.
    if (sensor === undefined) return;
    const ageMs = acceptedMs - columns.times.msAt(index);
    const acceptedNs = BigInt(Math.round(acceptedMs)) * NS_PER_MS;
    for (const rule of this.#quality) {
      const { condition } = rule.rule;
      if (condition.kind !== 'quality' || !condition.checks.some((one) => one === check)) continue;
      if (!rule.scope.holdsNow(sensor, acceptedNs)) continue;
      const series = this.seriesOf(rule, sensor.id, ranMs);
      if (series === undefined) continue;
      series.seenRanMs = ranMs;
      if (series.phase !== 'ok' || ageMs > rule.rule.notifyWithinMs) continue;
      series.phase = 'firing';
      series.sinceMs = columns.times.msAt(index);
      this.#options.onStep(series, 'firing', columns.times.at(index), false);
    }
  }

  #entryOf(columns: PointColumns, index: number, ranMs: number): Entry {
    const tags = columns.tagsOf(index);
    let name = '';
    let location: string | undefined;
    for (const tag of tags) {
      if (tag[0] === 'sensor') name = tag[1];
      else if (tag[0] === 'location') location = tag[1];
    }
    const sensor = this.#options.directory.sensor(name);
    const known = this.#entries.get(name);
    if (known !== undefined && known.sensor === sensor && known.location === location) return known;
    if (this.#entries.size >= MAX_ENTRIES) this.#entries.clear();
    const entry: Entry = { sensor, location, id: sensor?.id ?? name, byMetric: new Map(), whole: none };
    entry.whole = this.#concerned(entry, this.#wholeSensor, ranMs);
    this.#entries.set(name, entry);
    return entry;
  }

  #seriesIn(entry: Entry, metric: string, ranMs: number): readonly Series[] {
    const known = entry.byMetric.get(metric);
    if (known !== undefined) return known;
    const found = [
      ...this.#concerned(entry, this.#byMetric.get(metric), ranMs),
      ...this.#waiting(entry, metric, ranMs),
    ];
    entry.byMetric.set(metric, found.length === 0 ? none : found);
    return found;
  }

  /** Text of a metric is in a field of its own, and is as good as a number to who waits for the metric. */
  #waiting(entry: Entry, field: string, ranMs: number): readonly Series[] {
    if (!field.endsWith(TEXT_SUFFIX)) return none;
    return this.#concerned(entry, this.#absentByMetric.get(field.slice(0, -TEXT_SUFFIX.length)), ranMs);
  }

  #concerned(entry: Entry, rules: RuleIndex | undefined, ranMs: number): readonly Series[] {
    const { id, sensor, location } = entry;
    if (rules === undefined || sensor?.state === 'retired') return none;
    const found: Series[] = [];
    for (const rule of rules.candidates(id)) {
      if (!rule.scope.holds(id, sensor, location)) continue;
      const series = this.seriesOf(rule, id, ranMs);
      if (series !== undefined) found.push(series);
    }
    return found.length === 0 ? none : found;
  }

  #index(): void {
    this.#entries.clear();
    const enabled = [...this.#rules.values()].filter(({ rule }) => rule.isEnabled);
    const byMetric = Map.groupBy(enabled, ({ rule }) => rule.metric);
    const absent = Map.groupBy(
      enabled.filter(({ rule }) => rule.condition.kind === 'absent'),
      ({ rule }) => rule.metric,
    );
    const whole = absent.get(undefined) ?? [];
    this.#byMetric = indexed(byMetric);
    this.#absentByMetric = indexed(absent);
    this.#wholeSensor = new RuleIndex(whole);
    this.#quality = enabled.filter(({ rule }) => rule.condition.kind === 'quality');
  }
}

function indexed(rules: Map<string | undefined, ActiveRule[]>): Map<string, RuleIndex> {
  rules.delete(undefined);
  return new Map(Array.from(rules, ([metric, some]) => [metric!, new RuleIndex(some)]));
}
