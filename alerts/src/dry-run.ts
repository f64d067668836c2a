import { type DryRun, type Reading, type Rule, type SensorDirectory, TidemarkError } from '@tidemark/core';
import type { Engine } from '@tidemark/store';
import { readRule } from './read-rule.ts';
import { Scope } from './scope.ts';
import { newSeries, type SeriesState, step } from './series-state.ts';

/** Readings asked for at once. */
const PAGE = 10_000;
/** Some seconds of work; a longer range is cut off, and says so. */
const MAX_READINGS = 2_000_000;
/** Sensors with firings that are told of, those with the most first. */
const MAX_SENSORS = 1000;

interface DryRunOptions {
  engine: Pick<Engine, 'readings'>;
  directory: SensorDirectory;
  document: unknown;
  fromNs: bigint;
  toNs: bigint;
}

interface Played {
  state: SeriesState;
  firings: number;
  firingMs: number;
  firstNs: bigint;
  lastNs: bigint;
  /** Of the last firing, while it lasts. */
  firedMs: number;
}

/** Plays what is stored of a range through a rule, in order of time: how often it would have fired. */
export async function dryRun({ engine, directory, document, fromNs, toNs }: DryRunOptions): Promise<DryRun> {
  const rule = readRule(document) as Rule;
  if (rule.condition.kind === 'quality') {
    const message = 'quality is not stored reading by reading, and cannot be played; ask GET /api/v1/quality';
    throw new TidemarkError('bad_request', message, { issues: [{ path: 'quality', message }] });
  }
  const scope = new Scope(rule, directory);
  const played = new Map<string, Played | undefined>();
  const playedOf = ({ sensor, location }: Reading): Played | undefined => {
    if (!played.has(sensor)) {
      const isConcerned = scope.holds(sensor, directory.sensor(sensor), location);
      played.set(sensor, isConcerned ? newPlayed() : undefined);
    }
    return played.get(sensor);
  };
  let readings = 0;
  for await (const page of pages(engine, { metric: rule.metric, fromNs, toNs })) {
    for (const reading of page) {
      const one = playedOf(reading);
      if (one === undefined) continue;
      readings++;
      play(rule, one, reading);
    }
    if (readings >= MAX_READINGS && page.length === PAGE)
      return summed(played, { readings, cutOffNs: page.at(-1)!.timeNs, rule, toNs });
  }
  return summed(played, { readings, cutOffNs: undefined, rule, toNs });
}

async function* pages(
  engine: DryRunOptions['engine'],
  { metric, fromNs, toNs }: { metric: string | undefined; fromNs: bigint; toNs: bigint },
): AsyncGenerator<Reading[]> {
  const metrics = metric === undefined ? undefined : [metric];
  let after: { timeNs: bigint; sensor: string } | undefined;
  for (;;) {
    const page = await engine.readings({ metrics, fromNs, toNs, order: 'asc', limit: PAGE, after });
    yield page;
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return;
    after = { timeNs: last.timeNs, sensor: last.sensor };
  }
}

function play(rule: Rule, one: Played, { timeNs, values }: Reading): void {
  const { condition } = rule;
  const timeMs = Number(timeNs) / 1e6;
  if (condition.kind === 'absent') {
    if (timeMs - one.state.timeMs >= condition.afterMs && Number.isFinite(one.state.timeMs)) {
      fired(one, timeNs);
      one.firingMs += timeMs - one.state.timeMs - condition.afterMs;
    }
    one.state.timeMs = timeMs;
    return;
  }
  const value = values.find(([metric]) => metric === rule.metric)?.[1];
  if (typeof value !== 'number') return;
  const made = step(rule, one.state, value, timeMs);
  if (made === 'firing') {
    fired(one, timeNs);
    one.firedMs = timeMs;
  }
  if (made === 'resolved') one.firingMs += timeMs - one.firedMs;
}

function fired(one: Played, timeNs: bigint): void {
  if (one.firings === 0) one.firstNs = timeNs;
  one.firings++;
  one.lastNs = timeNs;
}

function summed(
  played: ReadonlyMap<string, Played | undefined>,
  {
    readings,
    cutOffNs,
    rule: { condition },
    toNs,
  }: Pick<DryRun, 'readings' | 'cutOffNs'> & { rule: Rule; toNs: bigint },
): DryRun {
  const sensors: DryRun['sensors'] = [];
  let firings = 0;
  for (const [sensor, one] of played) {
    if (one === undefined) continue;
    const quietMs = Number(cutOffNs ?? toNs) / 1e6 - one.state.timeMs;
    // Who has not come back is absent up to the end.
    if (condition.kind === 'absent' && quietMs >= condition.afterMs) {
      fired(one, cutOffNs ?? toNs);
      one.firingMs += quietMs - condition.afterMs;
    }
    if (one.state.phase === 'firing') one.firingMs += one.state.timeMs - one.firedMs;
    if (one.firings === 0) continue;
    firings += one.firings;
    const { firingMs, firstNs, lastNs } = one;
    sensors.push({ sensor, firings: one.firings, firingMs, firstNs, lastNs });
  }
  sensors.sort((one, other) => other.firings - one.firings || (one.sensor < other.sensor ? -1 : 1));
  return { readings, firings, sensors: sensors.slice(0, MAX_SENSORS), cutOffNs };
}

function newPlayed(): Played {
  return { state: newSeries(), firings: 0, firingMs: 0, firstNs: 0n, lastNs: 0n, firedMs: 0 };
}
