import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Child, cpuSecondsOf, runJson, startServer, startTidemark } from './process.ts';
import { median, type Row } from './table.ts';

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const loader = here('./mqtt-load.ts');
const CONNECTIONS = 20;
const WARM_UP_MESSAGES = 100_000;
const MESSAGES = 400_000;
const ROUNDS = 7;

interface Load {
  acked: number;
  seconds: number;
  cpuSeconds: number;
  p50Ms: number;
  p99Ms: number;
}

interface Measured extends Load {
  /** From the first publish until every reading is acknowledged and queries see it. */
  totalSeconds: number;
  serverCpuSeconds: number;
}

/** QoS 1, one JSON reading a message: bare Aedes and the platform in turns, under the same load. */
export async function mqttPublish(): Promise<Row[]> {
  const rows: Row[] = [];
  for (const window of [20, 200]) {
    const bare: Measured[] = [];
    const full: Measured[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      bare.push(await measureBare(window));
      full.push(await measurePlatform({ window }));
    }
    // Of neighbours: the machine's own speed drifts from round to round.
    const ratio = median(full.map((measured, round) => rateOf(measured) / rateOf(bare[round]!)));
    rows.push(
      row(`bare Aedes, window ${window}`, bare),
      row(`Tidemark, window ${window}, to queryable`, full),
    );
    rows.push({
      what: `Tidemark / bare Aedes, window ${window}`,
      figure: `${(ratio * 100).toFixed(0)} %`,
      note: 'target: at least 60 %',
    });
  }
  return rows;
}

async function measureBare(window: number): Promise<Measured> {
  const server = await startServer([here('./bare-aedes.ts')]);
  try {
    return await measure(server, { window }, async () => {});
  } finally {
    await server.stop();
  }
}

interface PlatformLoad {
  window: number;
  /** 500 sensors on each connection in place of one. */
  hasMany?: boolean;
  messages?: number;
  /** Called before the load. */
  prepare?: (httpUrl: string) => Promise<void>;
}

/** The platform under the load, on a new data folder. */
export async function measurePlatform({ prepare, ...options }: PlatformLoad): Promise<Measured> {
  const dataDir = await mkdtemp(join(tmpdir(), 'tidemark-bench-'));
  const server = await startTidemark(dataDir);
  try {
    await prepare?.(String(server.ready.httpUrl));
    return await measure(server, options, (count) => untilQueryable(Number(server.ready.httpPort), count));
  } finally {
    await server.stop();
    await rm(dataDir, { recursive: true });
  }
}

async function measure(
  server: Child,
  { window, hasMany = false, messages = MESSAGES }: Omit<PlatformLoad, 'prepare'>,
  settle: (count: number) => Promise<void>,
): Promise<Measured> {
  const load = (count: number): Promise<Load> =>
    runJson<Load>([
      loader,
      String(server.ready.mqttPort),
      String(CONNECTIONS),
      String(window),
      String(count),
      ...(hasMany ? ['many'] : []),
    ]);
  const warmUp = await load(WARM_UP_MESSAGES);
  await settle(warmUp.acked);
  const cpuBefore = cpuSecondsOf(server.process.pid!);
  const result = await load(messages);
  const ackedMs = performance.now();
  await settle(warmUp.acked + result.acked);
  const settleSeconds = (performance.now() - ackedMs) / 1000;
  const serverCpuSeconds = cpuSecondsOf(server.process.pid!) - cpuBefore;
  return { ...result, totalSeconds: result.seconds + settleSeconds, serverCpuSeconds };
}

/** Resolves when the window query counts every reading; bounded in time. */
async function untilQueryable(httpPort: number, count: number): Promise<void> {
  const url = `http://127.0.0.1:${httpPort}/api/v1/windows?metric=temperature&fn=count&from=now-1h&to=now%2B1h&every=1d`;
  for (const deadline = performance.now() + 60_000; performance.now() < deadline; ) {
    const { items } = (await (await fetch(url)).json()) as { items: { count: number }[] };
    const seen = items.reduce((sum, item) => sum + item.count, 0);
    if (seen === count) return;
    if (seen > count) throw new Error(`${seen} readings stored of ${count} published`);
  }
  throw new Error(`not all of ${count} readings became queryable`);
}

/** Readings a second, until they are queryable. */
export function rateOf({ acked, totalSeconds }: Measured): number {
  return acked / totalSeconds;
}

export function row(what: string, runs: readonly Measured[]): Row {
  const microseconds = (seconds: (run: Measured) => number): string =>
    median(runs.map((run) => (seconds(run) / run.acked) * 1e6)).toFixed(2);
  const ackMs = (pick: (run: Measured) => number): string => median(runs.map(pick)).toFixed(1);
  return {
    what,
    figure: `${Math.round(median(runs.map(rateOf))).toLocaleString('en')} readings/s`,
    note: `${microseconds((run) => run.serverCpuSeconds)} µs CPU a reading, load generator ${microseconds((run) => run.cpuSeconds)} µs; ack p50 ${ackMs((run) => run.p50Ms)} ms, p99 ${ackMs((run) => run.p99Ms)} ms`,
  };
}
