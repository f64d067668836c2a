import assert from 'node:assert/strict';
import { join } from 'node:path';
import { LiveStream } from '../../support/live-stream.ts';
import type { Bench } from '../bench.ts';
import type { FaultCase } from '../fault-case.ts';
import { metricsOf } from '../oracle/metrics.ts';
import { bothStores, type StoreUnderTest } from '../stores.ts';

const ALLOWED_MS = 60_000;
const STEP_MS = 5000;
const DAY_MS = 24 * 3_600_000;
const LATE_SHARE = 0.2;
/** Late ones come after up to so many others of their sensor. */
const MOST_BEHIND = 200;
const POST_ITEMS = 500;
const FUNCTIONS = 'count,sum,mean,min,max,first,last,distinct';

interface Sent {
  sensor: string;
  value: number;
  timeMs: number;
}

export const faultCase: FaultCase = {
  id: 'i',
  title: 'out of order and late: 20 % late, and a backfill of 24 h',
  criterion:
    'Everything is stored, windows and latest equal those of a sorted load, and each late reading is counted and marked.',
  limitSeconds: { short: 180, long: 1800 },
  async run(bench) {
    const arrivals = disordered(bench);
    const late = lateOf(arrivals);
    const counts = { readings: 0, late: late.size, windows: 0 };
    for (const store of await bothStores(bench)) {
      const inDisorder = await load(bench, store, 'disordered', arrivals);
      const metrics = await metricsOf(bench.httpUrl);
      assert.equal(metrics.sum('tidemark_ingest_late_points_total'), late.size);
      assert.deepEqual(await markedLate(bench, arrivals.length), late);
      await inDisorder.platform.end('SIGKILL');
      await assertLateAfterRestart(bench, inDisorder, arrivals);

      const sorted = await load(
        bench,
        store,
        'sorted',
        arrivals.toSorted((a, b) => a.timeMs - b.timeMs),
      );
      assert.equal((await metricsOf(bench.httpUrl)).sum('tidemark_ingest_late_points_total'), 0);
      await sorted.platform.end('SIGTERM');
      assert.deepEqual(inDisorder.answers, sorted.answers);
      counts.readings += arrivals.length;
      counts.windows += inDisorder.answers.windows.length;
      bench.progress(`${store.name} is done`);
    }
    return { counts, recorded: { lateShare: Math.round((100 * late.size) / arrivals.length) / 100 } };
  },
};

/** Readings of several sensors as they arrive: a share of them late, then a day of one sensor, newest first. */
function disordered(bench: Bench): Sent[] {
  const { sensors, readings, backfill } = bench.choose({
    short: { sensors: 8, readings: 300, backfill: 1500 },
    long: { sensors: 50, readings: 4000, backfill: 86_400 },
  });
  const endMs = Date.now() - 60_000;
  const live = Array.from({ length: sensors * readings }, (_, index) => {
    const step = Math.floor(index / sensors);
    const isLate = bench.random() < LATE_SHARE;
    const sent = {
      sensor: `sensor-${index % sensors}`,
      value: Math.floor(bench.random() * 1000),
      timeMs: endMs - (readings - step) * STEP_MS,
    };
    return { sent, place: step + (isLate ? Math.ceil(bench.random() * MOST_BEHIND) : 0) };
  });
  const ordered = live.sort((a, b) => a.place - b.place).map(({ sent }) => sent);
  const old = Array.from({ length: backfill }, (_, index) => ({
    sensor: 'sensor-0',
    value: Math.floor(bench.random() * 1000),
    timeMs: Math.round(endMs - readings * STEP_MS - (DAY_MS / backfill) * (index + 1)),
  }));
  return [...ordered, ...old];
}

/** Which of them come late, told without any of the platform's code. */
function lateOf(arrivals: readonly Sent[]): Set<string> {
  const newest = new Map<string, number>();
  const late = new Set<string>();
  for (const { sensor, timeMs } of arrivals) {
    const newestMs = newest.get(sensor) ?? 0;
    if (newestMs - timeMs > ALLOWED_MS) late.add(idOf(sensor, timeMs));
    newest.set(sensor, Math.max(newestMs, timeMs));
  }
  return late;
}

async function load(bench: Bench, store: StoreUnderTest, use: string, arrivals: readonly Sent[]) {
  const dataDir = join(bench.directory, `${store.name}-${use}`);
  const env = { ...(await store.env(use)), TIDEMARK_ALLOWED_LATENESS_MS: String(ALLOWED_MS) };
  const platform = await bench.startPlatform({ dataDir, env });
  for (let start = 0; start < arrivals.length; start += POST_ITEMS) {
    await post(bench, arrivals.slice(start, start + POST_ITEMS));
  }
  return { platform, dataDir, env, answers: await ask(bench, arrivals) };
}

async function post(bench: Bench, readings: readonly Sent[]): Promise<void> {
  const response = await fetch(`${bench.httpUrl}/api/v1/readings`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(readings.map(({ sensor, value, timeMs }) => ({ sensor, value, time: timeMs }))),
  });
  const { accepted } = (await response.json()) as { accepted: number };
  assert.equal(accepted, readings.length);
}

/** What the platform answers of all of it; asked for a fixed range, so that two loads can be compared. */
async function ask(bench: Bench, arrivals: readonly Sent[]) {
  const times = arrivals.map(({ timeMs }) => timeMs).sort((a, b) => a - b);
  const range = { from: String(times[0]), to: String(times.at(-1)! + 1) };
  const get = async (route: string, query: Record<string, string>) => {
    const response = await fetch(`${bench.httpUrl}/api/v1/${route}?${new URLSearchParams(query)}`);
    assert.equal(response.status, 200, route);
    return ((await response.json()) as { items: Record<string, unknown>[] }).items;
  };
  const windows: Record<string, unknown>[] = [];
  for (const every of ['1m', '1h', '1d'])
    windows.push(
      ...(await get('windows', { ...range, every, metric: 'value', by: 'sensor', fn: FUNCTIONS })),
    );
  const counted = windows.reduce((sum, { count }) => sum + Number(count), 0);
  assert.equal(counted, 3 * arrivals.length, 'not everything is in the windows');
  return { windows, latest: await get('latest', {}) };
}

/** Ids of the readings that the live stream marks, read from the beginning of the log. */
async function markedLate(bench: Bench, readings: number): Promise<Set<string>> {
  const stream = new LiveStream(`${bench.httpUrl}/api/v1/live`);
  stream.lastEventId = '0';
  await stream.readUntil(readings);
  return new Set(stream.readings.filter(({ late }) => late === true).map(({ id }) => id));
}

/** After kill -9 the log tells how far each sensor had come, and marks the same readings again. */
async function assertLateAfterRestart(
  bench: Bench,
  { dataDir, env }: { dataDir: string; env: Record<string, string> },
  arrivals: readonly Sent[],
): Promise<void> {
  const platform = await bench.startPlatform({ dataDir, env });
  assert.deepEqual(await markedLate(bench, arrivals.length), lateOf(arrivals));
  const again = { ...arrivals.at(-1)!, sensor: 'sensor-1' };
  await post(bench, [again]);
  assert.equal((await metricsOf(bench.httpUrl)).sum('tidemark_ingest_late_points_total'), 1);
  await platform.end('SIGTERM');
}

function idOf(sensor: string, timeMs: number): string {
  return `${sensor}@${timeMs}000000`;
}
