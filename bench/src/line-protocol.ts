import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findInfluxd, startInfluxd } from '@tidemark/store/testing';
import { cpuSecondsOf, memoryMiBOf, runJson, startTidemark } from './process.ts';
import { median, type Row } from './table.ts';

const loader = fileURLToPath(new URL('./lines-load.ts', import.meta.url));
const LINES = 1_000_000;
const WARM_UP_LINES = 200_000;
const ROUNDS = 7;
const SETTLE_WITHIN_MS = 60_000;

interface Load {
  lines: number;
  seconds: number;
  p99Ms: number;
}

interface Measured extends Load {
  /** Until queries see every line. */
  totalSeconds: number;
}

/** Line protocol over HTTP in batches of 5 000 lines, four requests at a time: influxd and Tidemark in turns. */
export async function lineProtocol(): Promise<Row[]> {
  const binary = findInfluxd();
  if (binary === undefined) throw new Error('line-protocol needs influxd: set INFLUXD_BIN');
  const dataDir = await mkdtemp(join(tmpdir(), 'tidemark-bench-'));
  const influxd = await startInfluxd(binary);
  const tidemark = await startTidemark(dataDir);
  const pid = tidemark.process.pid!;
  try {
    const theirs: Measured[] = [];
    const ours: Measured[] = [];
    const { org, bucket } = influxd;
    const peer = { url: `${influxd.url}/api/v2/write?org=${org}&bucket=${bucket}`, token: influxd.token };
    const httpUrl = String(tidemark.ready.httpUrl);
    const own = { url: `${httpUrl}/api/v2/write?bucket=tidemark`, token: 'none' };
    await load(peer, 0, WARM_UP_LINES);
    await load(own, 0, WARM_UP_LINES);
    const cpuBefore = cpuSecondsOf(pid);
    for (let round = 0; round < ROUNDS; round++) {
      const first = WARM_UP_LINES + round * LINES;
      const acked = await load(peer, first, LINES);
      theirs.push({ ...acked, totalSeconds: acked.seconds });
      const result = await load(own, first, LINES);
      const ackedMs = performance.now();
      await untilStored(httpUrl, first + LINES);
      const settleSeconds = (performance.now() - ackedMs) / 1000;
      ours.push({ ...result, totalSeconds: result.seconds + settleSeconds });
    }
    const cpuUs = ((cpuSecondsOf(pid) - cpuBefore) / (ROUNDS * LINES)) * 1e6;
    const note = `${cpuUs.toFixed(2)} µs CPU a line, ${Math.round(memoryMiBOf(pid))} MiB at the end`;
    return [
      row('influxd, acknowledged and queryable', theirs, ({ seconds }) => seconds),
      row('Tidemark, acknowledged', ours, ({ seconds }) => seconds),
      { ...row('Tidemark, queryable', ours, ({ totalSeconds }) => totalSeconds), note },
      ratio('acknowledged', theirs, ours, ({ seconds }) => seconds),
      ratio('queryable', theirs, ours, ({ totalSeconds }) => totalSeconds),
    ];
  } finally {
    await tidemark.stop();
    await influxd.stop();
    await rm(dataDir, { recursive: true });
  }
}

function load({ url, token }: { url: string; token: string }, first: number, lines: number): Promise<Load> {
  return runJson<Load>([loader, url, token, String(first), String(lines)]);
}

/** Resolves when so many points are in the store, where queries see them. */
async function untilStored(httpUrl: string, points: number): Promise<void> {
  for (const deadline = performance.now() + SETTLE_WITHIN_MS; performance.now() < deadline; ) {
    const metrics = await (await fetch(`${httpUrl}/metrics`)).text();
    const stored = Number(/^tidemark_store_points_total (\d+)$/m.exec(metrics)?.[1]);
    if (stored >= points) return;
  }
  throw new Error(`not all of ${points} points were stored`);
}

type Seconds = (measured: Measured) => number;

function row(what: string, runs: readonly Measured[], secondsOf: Seconds): Row {
  const rate = median(runs.map((run) => run.lines / secondsOf(run)));
  const p99Ms = median(runs.map((run) => run.p99Ms));
  return {
    what: `line protocol: ${what}`,
    figure: `${Math.round(rate).toLocaleString('en')} lines/s`,
    note: `p99 of a request ${p99Ms.toFixed(0)} ms`,
  };
}

/** Of neighbours: the machine's own speed drifts from round to round. */
function ratio(
  what: string,
  theirs: readonly Measured[],
  ours: readonly Measured[],
  secondsOf: Seconds,
): Row {
  const ratios = ours.map((run, round) => secondsOf(theirs[round]!) / secondsOf(run));
  return {
    what: `line protocol: Tidemark / influxd, ${what}`,
    figure: `${median(ratios).toFixed(2)}×`,
    note: 'target: at least 2×',
  };
}
