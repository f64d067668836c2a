import { mkdtemp, rm } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Child, cpuSecondsOf, peakMemoryMiBOf, runJson, startTidemark } from './process.ts';
import { untilIdle } from './readings.ts';
import { median, type Row } from './table.ts';

export const SERIES = 1000;
export const FIRST_MS = Date.UTC(2025, 0, 1);
export const YEAR_MS = 365 * 86_400_000;

const SMALL = 1_000_000;
const LARGE = 100_000_000;
const LATE = 10_000_000;
const ROUNDS = 25;
const POLL_MS = 100;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const endMs = FIRST_MS + YEAR_MS;
const loader = fileURLToPath(new URL('./year-load.ts', import.meta.url));

interface Question {
  fromMs: number;
  everyMinutes: number;
  windows: number;
  sensor?: string;
}

/** Each is answered by as many rows however many points there are. */
const questions: Record<string, Question> = {
  'last hour of all sensors, by minute': { fromMs: endMs - HOUR_MS, everyMinutes: 1, windows: 60 },
  'a day of one sensor long ago': {
    fromMs: FIRST_MS + 100 * DAY_MS,
    everyMinutes: 60,
    windows: 24,
    sensor: 's7',
  },
  'the last day of one sensor': { fromMs: endMs - DAY_MS, everyMinutes: 60, windows: 24, sensor: 's7' },
};

/** A year of 1 000 series, as 1 M and as 100 M points, and 10 M late points scattered over the latter. */
export async function year(): Promise<Row[]> {
  const folders: string[] = [];
  const servers: Child[] = [];
  try {
    for (const points of [SMALL, LARGE]) {
      const folder = await mkdtemp(join(tmpdir(), 'tidemark-bench-'));
      folders.push(folder);
      await runJson([loader, 'fill', folder, String(points)]);
      servers.push(await startTidemark(folder));
    }
    const [small, large] = servers as [Child, Child];
    for (const server of servers) await untilIdle(server.process.pid!);
    const rows = ratios('', await inTurns([small, large], () => ROUNDS));
    rows.push(...(await backfill([small, large])));
    await untilIdle(large.process.pid!);
    rows.push(...ratios(', after them', await inTurns([small, large], () => ROUNDS)));
    await expectAll(large);
    const load = loadavg().map((average) => average.toFixed(1));
    rows.push({
      what: 'peak memory of the process with 100 M points',
      figure: `${Math.round(peakMemoryMiBOf(large.process.pid!))} MiB`,
      note: `target: under 1 GB; load average at the end ${load.join(', ')}`,
    });
    return rows;
  } finally {
    for (const server of servers) await server.stop();
    for (const folder of folders) await rm(folder, { recursive: true });
  }
}

/** Posts late points to the larger one and asks both meanwhile, until all are stored. */
async function backfill(servers: readonly [Child, Child]): Promise<Row[]> {
  const { ready, process } = servers[1];
  const startMs = performance.now();
  const cpuBefore = cpuSecondsOf(process.pid!);
  let isOver = false;
  const post = async () => {
    try {
      await runJson([loader, 'late', `${ready.httpUrl}/api/v2/write?bucket=tidemark`, String(LATE)]);
      await untilStored(servers[1], LATE);
      return (performance.now() - startMs) / 1000;
    } finally {
      isOver = true;
    }
  };
  const asked = inTurns(servers, (rounds) => (isOver ? rounds : rounds + 1));
  const [seconds, times] = await Promise.all([post(), asked]);
  const cpuUs = ((cpuSecondsOf(process.pid!) - cpuBefore) / LATE) * 1e6;
  const late = {
    what: '10 M late points into 100 M',
    figure: `${Math.round(LATE / seconds).toLocaleString('en')} points/s`,
    note: `until queryable; ${cpuUs.toFixed(1)} µs CPU a point, the queries beside them included; target: 100,000/s`,
  };
  return [late, ...ratios(', while late points come', times)];
}

/** Milliseconds of each answer, by question. */
type Times = Record<string, number[]>;

/** Asks each server each question, round after round, until as many as `most` says after each. */
async function inTurns(servers: readonly Child[], most: (rounds: number) => number): Promise<Times[]> {
  const times = servers.map((): Times => ({}));
  for (let round = 0; round < most(round); round++) {
    for (const [name, question] of Object.entries(questions)) {
      for (const [index, server] of servers.entries()) {
        const tookMs = await ask(server, question);
        times[index]![name] = [...(times[index]![name] ?? []), tookMs];
      }
    }
  }
  return times;
}

async function ask({ ready }: Child, { fromMs, everyMinutes, windows, sensor }: Question): Promise<number> {
  const toMs = fromMs + everyMinutes * windows * 60_000;
  const ofSensor = sensor === undefined ? '' : ` AND sensor = '${sensor}'`;
  const startedMs = performance.now();
  const rows = await query(
    ready,
    `SELECT mean(value) FROM climate WHERE time >= ${fromMs}ms AND time < ${toMs}ms${ofSensor} GROUP BY time(${everyMinutes}m) fill(null)`,
  );
  const tookMs = performance.now() - startedMs;
  if (rows.length !== windows) throw new Error(`${rows.length} windows instead of ${windows}`);
  return tookMs;
}

export async function query(ready: Child['ready'], q: string): Promise<unknown[][]> {
  const response = await fetch(`${ready.httpUrl}/query?${new URLSearchParams({ db: 'tidemark', q })}`);
  const body = (await response.json()) as { results?: { series?: { values: unknown[][] }[] }[] };
  const values = body.results?.[0]?.series?.[0]?.values;
  if (values === undefined) throw new Error(`${q}: ${response.status} ${JSON.stringify(body)}`);
  return values;
}

/** Loses nothing: no two late points have one series and time, but by a chance of one in millions. */
async function expectAll({ ready }: Child): Promise<void> {
  const [[, count] = []] = await query(ready, 'SELECT count(value) FROM climate');
  if (count !== LARGE + LATE) throw new Error(`${count} points are there instead of ${LARGE + LATE}`);
}

function ratios(when: string, [small, large]: Times[]): Row[] {
  return Object.keys(questions).map((name) => {
    const [one, other] = [small, large].map((times) => median(times![name]!)) as [number, number];
    const figure = `${one.toFixed(1)} ms with 1 M, ${other.toFixed(1)} ms with 100 M`;
    const slowest = Math.max(...large![name]!).toFixed(0);
    const runs = large![name]!.length;
    return {
      what: name + when,
      figure,
      note: `${(other / one).toFixed(2)}×; medians of ${runs}, slowest ${slowest} ms`,
    };
  });
}

export async function untilStored({ ready }: Child, points: number): Promise<void> {
  for (;;) {
    const metrics = await (await fetch(`${ready.httpUrl}/metrics`)).text();
    if (Number(/^tidemark_store_points_total (\d+)$/m.exec(metrics)?.[1]) >= points) return;
    await sleep(POLL_MS);
  }
}
