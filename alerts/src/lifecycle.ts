import { randomUUID } from 'node:crypto';
import {
  type Alert,
  type AlertState,
  type Clock,
  knownLocation,
  NS_PER_MS,
  type SensorDirectory,
} from '@tidemark/core';
import type { Episode, Series } from './series.ts';
import type { Silences } from './silences.ts';
import type { NewTransition } from './transitions.ts';

interface LifecycleOptions {
  clock: Clock;
  directory: SensorDirectory;
  silences: Silences;
}

/** Who did something, and in which words. */
export interface Actor {
  actor: string;
  comment?: string | undefined;
}

/** What becomes of alerts, from firing until they are resolved. It keeps what changed until that is saved. */
export class Lifecycle {
  readonly #options: LifecycleOptions;
  /** Series in another phase than `ok`: those that there is an alert of. */
  readonly active = new Set<Series>();
  #changed = new Set<Series>();
  #removed: Pick<Series, 'rule' | 'sensor'>[] = [];
  #transitions: NewTransition[] = [];

  constructor(options: LifecycleOptions) {
    this.#options = options;
  }

  /** True when somebody may have to be told: it is saved at once. */
  get isUrgent(): boolean {
    return this.#transitions.length > 0;
  }

  get unsavedRows(): number {
    return this.#changed.size + this.#removed.length;
  }

  get unsaved() {
    return { changed: this.#changed, removed: this.#removed, transitions: this.#transitions };
  }

  /** Of each alert that is there; one that was ended by hand and whose condition holds still is `resolved`. */
  *states(): Iterable<AlertState> {
    for (const { phase, episode } of this.active) yield phase === 'pending' ? 'pending' : episode!.state;
  }

  /** What was handed over by `unsaved` is durable. */
  noteSaved(): void {
    this.#changed = new Set();
    this.#removed = [];
    this.#transitions = [];
  }

  /** Its phase or what is known of it has changed. */
  changed(series: Series): void {
    this.#changed.add(series);
    if (series.phase === 'ok') this.active.delete(series);
    else this.active.add(series);
  }

  fired(series: Series, timeNs: bigint, isOld: boolean): void {
    const { rule } = series.rule;
    const value = Number.isNaN(series.value) ? undefined : series.value;
    const sinceNs = BigInt(Math.round(series.sinceMs)) * NS_PER_MS;
    series.episode = {
      state: this.#isSilenced(series) ? 'silenced' : 'firing',
      sinceNs: sinceNs > timeNs ? timeNs : sinceNs,
      value,
      message: this.#messageOf(series, value),
      isCurrent: !isOld && rule.isEnabled,
      isTold: false,
      acknowledged: undefined,
      toldNs: series.episode?.toldNs,
    };
    this.#tell(series, series.episode, timeNs);
  }

  /** A reading that is not old goes on with what only old ones had begun. */
  becameCurrent(series: Series, timeNs: bigint): void {
    const { episode } = series;
    if (episode === undefined) return;
    episode.isCurrent = true;
    episode.value = series.value;
    episode.message = this.#messageOf(series, series.value);
    this.#tell(series, episode, timeNs);
  }

  resolved(series: Series, timeNs: bigint, by?: Actor): void {
    const { episode } = series;
    if (episode === undefined) return;
    episode.state = 'resolved';
    episode.value = Number.isNaN(series.value) ? undefined : series.value;
    this.#tell(series, episode, timeNs, by);
  }

  acknowledged(series: Series, by: Actor): void {
    const { episode } = series;
    if (episode === undefined) return;
    const timeNs = this.#options.clock.nowNs();
    episode.acknowledged = { by: by.actor, comment: by.comment, timeNs };
    episode.state = 'acknowledged';
    this.#tell(series, episode, timeNs, by);
  }

  /** Holds a firing alert to the silences as they are now. */
  settle(series: Series): void {
    const { episode, phase } = series;
    if (phase !== 'firing' || episode === undefined || episode.acknowledged !== undefined) return;
    const state = this.#isSilenced(series) ? 'silenced' : 'firing';
    if (episode.state === state) return;
    episode.state = state;
    this.#tell(series, episode, this.#options.clock.nowNs());
  }

  /** Ends a series that its rule is no longer about; what is retained of it goes when its rule is gone. */
  dropped(series: Series, comment: string, isRuleGone: boolean): void {
    const timeNs = this.#options.clock.nowNs();
    if (series.phase === 'firing') {
      series.phase = 'ok';
      this.resolved(series, timeNs, { actor: 'tidemark', comment });
    }
    series.phase = 'ok';
    this.active.delete(series);
    this.#changed.delete(series);
    this.#removed.push(series);
    const { episode } = series;
    if (isRuleGone && episode !== undefined)
      this.#transitions.push({
        ...this.#transitionOf(series, episode, timeNs),
        state: 'removed',
        notifies: false,
      });
  }

  #tell(series: Series, episode: Episode, timeNs: bigint, by?: Actor): void {
    this.changed(series);
    const isFiring = episode.state === 'firing';
    const notifies = episode.isCurrent && episode.state !== 'silenced' && (isFiring || episode.isTold);
    if (notifies) episode.isTold = true;
    // By the clock and by event time by turns: whoever asks for the last change by time is to get the last one.
    const { toldNs } = episode;
    episode.toldNs = toldNs !== undefined && timeNs <= toldNs ? toldNs + 1n : timeNs;
    this.#transitions.push({
      ...this.#transitionOf(series, episode, episode.toldNs),
      actor: by?.actor,
      comment: by?.comment,
      notifies,
    });
  }

  #transitionOf(series: Series, episode: Episode, timeNs: bigint): NewTransition {
    const { rule } = series.rule;
    return {
      key: randomUUID(),
      alert: alertId(series),
      rule: rule.id,
      sensor: series.sensor,
      metric: rule.metric,
      state: episode.state,
      value: episode.value,
      sinceNs: episode.sinceNs,
      timeNs,
      recordedNs: this.#options.clock.nowNs(),
      severity: rule.severity,
      message: episode.message,
      actor: undefined,
      comment: undefined,
      isCurrent: episode.isCurrent,
      notifies: false,
      notify: rule.notify,
    };
  }

  #isSilenced({ rule: { rule }, sensor }: Series): boolean {
    const { silences, directory } = this.#options;
    if (directory.sensor(sensor)?.state === 'maintenance') return true;
    return silences.covers({ rule: rule.id, sensor, severity: rule.severity });
  }

  #messageOf({ rule: { rule }, sensor }: Series, value: number | undefined): string {
    const { directory, clock } = this.#options;
    const known = directory.sensor(sensor);
    const texts: Record<string, string> = {
      sensor,
      rule: rule.id,
      metric: rule.metric ?? '',
      severity: rule.severity,
      value: value === undefined ? '' : String(value),
      location: (known && knownLocation(known, clock.nowNs())) ?? '',
    };
    return rule.message.replace(
      /\{(sensor|rule|metric|severity|value|location)\}/g,
      (_, name: string) => texts[name]!,
    );
  }
}

function alertId({ rule: { rule }, sensor }: Pick<Series, 'rule' | 'sensor'>): string {
  return `${rule.id}:${sensor}`;
}

/** The alert that a series stands for; undefined when it never fired and is not about to. */
export function alertOf(series: Series): Alert | undefined {
  const { rule } = series.rule;
  const { episode, phase } = series;
  const value = Number.isNaN(series.value) ? undefined : series.value;
  const base = {
    id: alertId(series),
    rule: rule.id,
    sensor: series.sensor,
    source: series.external?.source ?? ('rule' as const),
    metric: rule.metric,
    severity: rule.severity,
  };
  if (phase === 'pending') {
    const sinceNs = BigInt(Math.round(series.sinceMs)) * NS_PER_MS;
    const message = `pending since ${new Date(series.sinceMs).toISOString()}`;
    return { ...base, state: 'pending', value, sinceNs, message, isCurrent: false, acknowledged: undefined };
  }
  if (episode === undefined) return undefined;
  const { state, sinceNs, message, isCurrent, acknowledged } = episode;
  return {
    ...base,
    state,
    value: state === 'resolved' ? episode.value : value,
    sinceNs,
    message,
    isCurrent,
    acknowledged,
  };
}
