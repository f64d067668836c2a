import {
  type Clock,
  type DryRun,
  NS_PER_MS,
  type Reading,
  type Rule,
  type SensorDirectory,
  TidemarkError,
} from '@tidemark/core';
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
/** Sensors that are asked for by name; where a rule is about more, all are read and those of others left out. */
const MAX_NAMES = 1000;

interface DryRunOptions {
  engine: Pick<Engine, 'readings'>;
  clock: Clock;
  directory: SensorDirectory;
  document: unknown;
  fromNs: bigint;
  toNs: bigint;
}

interface Played {
  state: SeriesState;
  /** Whether who does not come back is missed up to the end. */
  isExpected: boolean;
  firings: number;
  firingMs: number;
  firstNs: bigint;
  lastNs: bigint;
  /** Of the last firing, while it lasts. */
  firedMs: number;
}

/**
 * Plays what is stored of a range through the rule, in order of time: how often it would have fired. Absence is measured
 * against the registry, up to now at most: who sent nothing in the whole range is missed too.
 */
export async function dryRun({
  engine,
  clock,
  directory,
  document,
  fromNs,
  toNs,
}: DryRunOptions): Promise<DryRun> {
  const rule = readRule(document) as Rule;
  if (rule.condition.kind === 'quality') {
    const message = 'quality is not stored reading by reading, and cannot be played; ask GET /api/v1/quality';
    throw new TidemarkError('bad_request', message, { issues: [{ path: 'quality', message }] });
  }
  const scope = new Scope(rule, directory);
  const nowNs = clock.nowNs();
  const range = { fromNs, toNs: toNs < nowNs ? toNs : nowNs };
  const played = expected(rule, scope, directory, range);
  const places = new Map<string, boolean>();
  const isConcerned = (sensor: string, location: string | undefined): boolean => {
    const place = `${sensor}/${location ?? ''}`;
    if (!places.has(place)) places.set(place, scope.holds(sensor, directory.sensor(sensor), location));
    return places.get(place)!;
  };
  const playedOf = ({ sensor, location, timeNs }: Reading): Played | undefined => {
    const known = played.get(sensor);
    if (isConcerned(sensor, location)) return known ?? put(played, sensor);
    if (known === undefined || rule.condition.kind === 'absent') return known;
    // It went elsewhere, which ends its alert; should it come back, it begins anew.
    if (known.state.phase === 'firing') known.firingMs += Number(timeNs) / 1e6 - known.firedMs;
    known.state = newSeries();
    return undefined;
  };
  let [readings, read] = [0, 0];
  let cutOffNs: bigint | undefined;
  const sensors = namesIn(rule, directory);
  for await (const page of pages(engine, { metric: rule.metric, sensors, fromNs, toNs })) {
    for (const reading of page) {
      const one = playedOf(reading);
      if (one === undefined) continue;
      readings++;
      play(rule, one, reading);
    }
    read += page.length;
    if (read < MAX_READINGS || page.length < PAGE) continue;
    cutOffNs = page.at(-1)!.timeNs;
    break;
  }
  end(rule, played, cutOffNs ?? range.toNs);
  return { ...summed(played), readings, cutOffNs };
}

/** Those that a rule about absence waits for, as `Watch` does; one that was registered later is, once it has reported. */
function expected(
  { condition, metric }: Rule,
  scope: Scope,
  directory: SensorDirectory,
  { fromNs, toNs }: { fromNs: bigint; toNs: bigint },
): Map<string, Played> {
  const played = new Map<string, Played>();
  if (condition.kind !== 'absent') return played;
  for (const sensor of directory.sensors()) {
    if (sensor.state === 'retired' || !scope.holdsNow(sensor, toNs)) continue;
    if (metric !== undefined && !(metric in sensor.metrics)) continue;
    const one = put(played, sensor.id);
    one.isExpected = true;
    const sinceNs = sensor.createdNs > fromNs ? sensor.createdNs : fromNs;
    if (sinceNs < toNs) one.state.timeMs = Number(sinceNs) / 1e6;
  }
  return played;
}

/** The sensors to ask for; undefined asks for all. Where they were is told by their readings. */
function namesIn({ sensors, labels }: Rule, directory: SensorDirectory): string[] | undefined {
  if (sensors === undefined && labels === undefined) return undefined;
  const scope = new Scope({ sensors, labels, location: undefined }, directory);
  const names = new Set(sensors?.filter((pattern) => !pattern.includes('*')));
  for (const sensor of directory.sensors()) {
    if (!scope.holds(sensor.id, sensor, undefined)) continue;
    for (const id of [sensor.id, ...sensor.formerIds]) names.add(id);
    if (names.size > MAX_NAMES) return undefined;
  }
  return [...names];
}

async function* pages(
  engine: DryRunOptions['engine'],
  {
    metric,
    sensors,
    ...range
  }: { metric: string | undefined; sensors: string[] | undefined; fromNs: bigint; toNs: bigint },
): AsyncGenerator<Reading[]> {
  // To the store an empty list is all.
  if (sensors?.length === 0) return;
  const metrics = metric === undefined ? undefined : [metric];
  let after: { timeNs: bigint; sensor: string } | undefined;
  for (;;) {
    const page = await engine.readings({ ...range, metrics, sensors, order: 'asc', limit: PAGE, after });
    yield page;
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return;
    after = { timeNs: last.timeNs, sensor: last.sensor };
  }
}

function play(rule: Rule, one: Played, { timeNs, values }: Reading): void {
  const { condition } = rule;
  if (condition.kind === 'absent') {
    goneUntil(timeNs, one, condition);
    one.state.timeMs = Number(timeNs) / 1e6;
    return;
  }
  const timeMs = Number(timeNs) / 1e6;
  const value = values.find(([metric]) => metric === rule.metric)?.[1];
  if (typeof value !== 'number') return;
  const made = step(rule, one.state, value, timeMs);
  if (made === 'firing') {
    fired(one, timeNs);
    one.firedMs = timeMs;
  }
  if (made === 'resolved') one.firingMs += timeMs - one.firedMs;
}

/** A sensor that was silent until then fired when that had lasted for as long as the rule allows. */
function goneUntil(timeNs: bigint, one: Played, { afterMs }: { afterMs: number }): void {
  const firedMs = one.state.timeMs + afterMs;
  const timeMs = Number(timeNs) / 1e6;
  if (!Number.isFinite(firedMs) || timeMs < firedMs) return;
  fired(one, BigInt(Math.round(firedMs)) * NS_PER_MS);
  one.firingMs += timeMs - firedMs;
}

/** Who has not come back is absent up to the end. */
function end({ condition }: Rule, played: ReadonlyMap<string, Played>, endNs: bigint): void {
  if (condition.kind !== 'absent') return;
  for (const one of played.values()) if (one.isExpected) goneUntil(endNs, one, condition);
}

function fired(one: Played, timeNs: bigint): void {
  if (one.firings === 0) one.firstNs = timeNs;
  one.firings++;
  one.lastNs = timeNs;
}

function summed(played: ReadonlyMap<string, Played>): Pick<DryRun, 'firings' | 'sensors'> {
  const sensors: DryRun['sensors'] = [];
  let sum = 0;
  for (const [sensor, one] of played) {
    if (one.state.phase === 'firing') one.firingMs += one.state.timeMs - one.firedMs;
    const { firings, firingMs, firstNs, lastNs } = one;
    if (firings === 0) continue;
    sum += firings;
    sensors.push({ sensor, firings, firingMs, firstNs, lastNs });
  }
  sensors.sort((one, other) => other.firings - one.firings || (one.sensor < other.sensor ? -1 : 1));
  return { firings: sum, sensors: sensors.slice(0, MAX_SENSORS) };
}

function put(played: Map<string, Played>, sensor: string): Played {
  const state = newSeries();
  const one = { state, isExpected: false, firings: 0, firingMs: 0, firstNs: 0n, lastNs: 0n, firedMs: 0 };
  played.set(sensor, one);
  return one;
}
