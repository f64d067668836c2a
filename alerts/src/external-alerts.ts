import {
  type Clock,
  type ExternalAlert,
  NS_PER_MS,
  type SensorDirectory,
  TidemarkError,
} from '@tidemark/core';
import type { Evaluator } from './evaluator.ts';
import type { Lifecycle } from './lifecycle.ts';
import { activate, createSeries, decodeSeries, type Saved, type Series } from './series.ts';
import { standInRule } from './stand-in-rule.ts';

/** Stands where an alert is of no one sensor: topics and tags have no empty part. */
const NO_SENSOR = '-';
const MAX_SENSOR_LENGTH = 128;

interface ExternalAlertsOptions {
  clock: Clock;
  directory: SensorDirectory;
  evaluator: Pick<Evaluator, 'rules'>;
  lifecycle: Lifecycle;
  /** Firing and ended together; of those that ended, the oldest make room. */
  maxExternal: number;
}

/** Alerts that Grafana and other programs tell of: what becomes of them is theirs to say, and people's. */
export class ExternalAlerts {
  readonly #options: ExternalAlertsOptions;
  readonly #byId = new Map<string, Series>();
  readonly #byFingerprint = new Map<string, Series>();

  constructor(options: ExternalAlertsOptions) {
    this.#options = options;
  }

  all(): Iterable<Series> {
    return this.#byId.values();
  }

  get(id: string): Series | undefined {
    return this.#byId.get(id);
  }

  /** The series as it is then; undefined when it ended and was not known. Throws `conflict` and `unavailable`. */
  take(told: ExternalAlert): Series | undefined {
    const known =
      told.fingerprint === undefined
        ? this.#byId.get(idOf(told.rule, told.sensor ?? NO_SENSOR))
        : this.#byFingerprint.get(told.fingerprint);
    if (!told.isFiring) {
      if (known !== undefined) this.#end(known, told);
      return known;
    }
    const series = known ?? this.#add(told);
    this.#raise(series, told);
    return series;
  }

  /** Ends those under this id, which a rule has from now on. */
  release(rule: string): void {
    for (const series of this.#byId.values())
      if (series.rule.rule.id === rule) this.#drop(series, 'a rule has its id now');
  }

  /** Takes up a series of the last run. */
  restore(rule: string, sensor: string, saved: Saved): void {
    const { directory, evaluator, lifecycle } = this.#options;
    const series = createSeries(
      activate(standInRule(rule, { message: '', ...saved.external! }), directory),
      sensor,
      0,
    );
    decodeSeries(series, saved);
    this.#keep(series);
    if (evaluator.rules.has(rule)) this.#drop(series, 'a rule has its id now');
    else if (series.phase !== 'ok') lifecycle.active.add(series);
  }

  #raise(series: Series, told: ExternalAlert): void {
    const { clock, directory, lifecycle } = this.#options;
    const nowNs = clock.nowNs();
    series.value = told.value ?? Number.NaN;
    if (series.phase !== 'ok' && !isNews(series, told)) {
      lifecycle.changed(series);
      return;
    }
    const { source, fingerprint, severity, notify, sinceNs } = told;
    const wasFiring = series.phase === 'firing';
    const beginNs = sinceNs !== undefined && sinceNs < nowNs ? sinceNs : nowNs;
    series.external = { source, fingerprint, severity, notify };
    series.rule = activate(standInRule(series.rule.rule.id, told), directory);
    series.phase = 'firing';
    // As it was told, also by a clock that is ahead: the same told again is to be known again.
    if (!wasFiring || sinceNs !== undefined) series.sinceMs = Number((sinceNs ?? nowNs) / NS_PER_MS);
    lifecycle.fired(series, wasFiring ? nowNs : beginNs, false);
  }

  #end(series: Series, { value, endedNs }: ExternalAlert): void {
    const { clock, lifecycle } = this.#options;
    const { phase, episode } = series;
    if (phase === 'ok' || episode === undefined) return;
    series.phase = 'ok';
    if (value !== undefined) series.value = value;
    if (phase === 'dismissed') {
      lifecycle.changed(series);
      return;
    }
    const nowNs = clock.nowNs();
    const isWithin = endedNs !== undefined && endedNs >= episode.sinceNs && endedNs <= nowNs;
    lifecycle.resolved(series, isWithin ? endedNs : nowNs);
  }

  /** A series for an alert that is not known, under a name that no other firing alert has. */
  #add(told: ExternalAlert): Series {
    const { directory, evaluator } = this.#options;
    const { rule, sensor, source, fingerprint, severity, notify } = told;
    if (evaluator.rules.has(rule))
      throw new TidemarkError('conflict', `${rule} is the id of a rule; give the alert another`, {
        issues: [{ path: 'rule', message: 'is the id of a rule' }],
      });
    const name = sensor ?? fingerprint ?? NO_SENSOR;
    const namesake = this.#byId.get(idOf(rule, name));
    if (namesake !== undefined && namesake.phase === 'ok') {
      if (namesake.external?.fingerprint !== undefined)
        this.#byFingerprint.delete(namesake.external.fingerprint);
      if (fingerprint !== undefined) this.#byFingerprint.set(fingerprint, namesake);
      return namesake;
    }
    this.#makeRoom();
    const ownName =
      namesake === undefined
        ? name
        : `${name.slice(0, MAX_SENSOR_LENGTH - 1 - fingerprint!.length)}~${fingerprint}`;
    const series = createSeries(activate(standInRule(rule, told), directory), ownName, 0);
    series.external = { source, fingerprint, severity, notify };
    this.#keep(series);
    return series;
  }

  #keep(series: Series): void {
    this.#byId.set(idOf(series.rule.rule.id, series.sensor), series);
    const fingerprint = series.external?.fingerprint;
    if (fingerprint !== undefined) this.#byFingerprint.set(fingerprint, series);
  }

  #makeRoom(): void {
    const { maxExternal } = this.#options;
    if (this.#byId.size < maxExternal) return;
    const ended = this.#byId.values().find(({ phase }) => phase === 'ok');
    if (ended === undefined) {
      const message = `${maxExternal} alerts of other programs fire; end some, or raise TIDEMARK_MAX_EXTERNAL_ALERTS`;
      throw new TidemarkError('unavailable', message, { retryable: true });
    }
    this.#drop(ended, 'to make room');
  }

  #drop(series: Series, comment: string): void {
    this.#byId.delete(idOf(series.rule.rule.id, series.sensor));
    const fingerprint = series.external?.fingerprint;
    if (fingerprint !== undefined) this.#byFingerprint.delete(fingerprint);
    this.#options.lifecycle.dropped(series, comment, true);
  }
}

/** It began anew, which is told later than its end was missed, or it has become of another severity. */
function isNews({ sinceMs, external }: Series, { sinceNs, severity }: ExternalAlert): boolean {
  if (severity !== external?.severity) return true;
  return sinceNs !== undefined && Number(sinceNs / NS_PER_MS) > sinceMs;
}

function idOf(rule: string, sensor: string): string {
  return `${rule}:${sensor}`;
}
