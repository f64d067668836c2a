import type { AlertState, ExternalAlert, SensorDirectory, StoredRule } from '@tidemark/core';
import { Scope } from './scope.ts';
import { newSeries, type SeriesState } from './series-state.ts';

/** One time that an alert fired, from then until it is resolved. */
export interface Episode {
  state: AlertState;
  sinceNs: bigint;
  /** The value that the newest transition told. */
  value: number | undefined;
  message: string;
  /** False as long as only readings spoke for it that are too old to notify anybody about. */
  isCurrent: boolean;
  /** True once somebody was to be told that it fires: then they are told of its end too. */
  isTold: boolean;
  acknowledged: { by: string; comment: string | undefined; timeNs: bigint } | undefined;
  /** Time of the newest transition; the next one's is later, those of the next episodes included. */
  toldNs: bigint | undefined;
}

/** What is kept of an alert of another program, beside its state. */
type External = Pick<ExternalAlert, 'source' | 'fingerprint' | 'severity' | 'notify'>;

/** One sensor under one rule. */
export interface Series extends SeriesState {
  rule: ActiveRule;
  readonly sensor: string;
  /** When it was last heard of, or last failed a check, on the run clock; for rules that go by the clock. */
  seenRanMs: number;
  /** The newest; undefined when it never fired. */
  episode: Episode | undefined;
  /** Set where another program says what becomes of it; its rule stands for what that program goes by. */
  external: External | undefined;
}

/** A rule with all that it knows of its series. */
export interface ActiveRule {
  readonly rule: StoredRule;
  readonly scope: Scope;
  readonly series: Map<string, Series>;
}

export function activate(rule: StoredRule, directory: SensorDirectory): ActiveRule {
  return { rule, scope: new Scope(rule, directory), series: new Map() };
}

export function createSeries(rule: ActiveRule, sensor: string, ranMs: number): Series {
  return { ...newSeries(), rule, sensor, seenRanMs: ranMs, episode: undefined, external: undefined };
}

interface SavedEpisode extends Omit<Episode, 'sinceNs' | 'acknowledged' | 'toldNs'> {
  sinceNs: string;
  toldNs?: string;
  acknowledged?: { by: string; comment?: string; timeNs: string };
}

/** A series as JSON writes it. */
export interface Saved {
  phase: SeriesState['phase'];
  timeMs: number | null;
  value: number | null;
  sinceMs: number | null;
  seenRanMs: number;
  episode?: SavedEpisode;
  external?: External;
}

/** A series as it is kept in meta.db. */
export function encodeSeries(series: Series): string {
  const { phase, timeMs, value, sinceMs, seenRanMs, episode, external } = series;
  // JSON writes what is not finite as null, and leaves out what is undefined.
  return JSON.stringify(
    { phase, timeMs, value, sinceMs, seenRanMs, episode, external },
    (_, item: unknown) => (typeof item === 'bigint' ? String(item) : item),
  );
}

/** Takes over what was kept. */
export function decodeSeries(series: Series, saved: Saved): void {
  const { phase, timeMs, value, sinceMs, seenRanMs, episode, external } = saved;
  series.external = external;
  series.phase = phase;
  series.timeMs = timeMs ?? Number.NEGATIVE_INFINITY;
  series.value = value ?? Number.NaN;
  series.sinceMs = sinceMs ?? Number.NEGATIVE_INFINITY;
  series.seenRanMs = seenRanMs;
  series.episode = episode && {
    ...episode,
    value: episode.value,
    sinceNs: BigInt(episode.sinceNs),
    toldNs: episode.toldNs === undefined ? undefined : BigInt(episode.toldNs),
    acknowledged: episode.acknowledged && {
      by: episode.acknowledged.by,
      comment: episode.acknowledged.comment,
      timeNs: BigInt(episode.acknowledged.timeNs),
    },
  };
}
