import { mkdtemp, rm } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { findInfluxd, startInfluxd } from '@tidemark/store/testing';
import { peakMemoryMiBOf, startTidemark } from './process.ts';
import { END_MS, FIRST_MS, loadReadings, untilIdle } from './readings.ts';
import { median, type Row } from './table.ts';

const ROUNDS = 5;
/** What is answered in milliseconds is asked more often, for so long: by then the code of both is warm. */
const MOST_ROUNDS = 40;
const MEASURED_MS = 1000;
/** How far numbers may be apart, of their size or of 1. */
const TOLERANCE = 1e-9;
const DAY_MS = 86_400_000;

const day = `time >= ${FIRST_MS + DAY_MS}ms AND time < ${FIRST_MS + 2 * DAY_MS}ms`;
const all = `time >= ${FIRST_MS}ms AND time < ${END_MS}ms`;
const queries: Record<string, string> = {
  'one sensor, a day by minute': `SELECT mean(temperature) FROM readings WHERE sensor = 's500' AND ${day} GROUP BY time(1m)`,
  'all sensors together by hour': `SELECT mean(temperature) FROM readings WHERE ${all} GROUP BY time(1h)`,
  'each sensor by hour': `SELECT mean(temperature) FROM readings WHERE ${all} GROUP BY time(1h), sensor`,
  'latest of each sensor': 'SELECT last(temperature) FROM readings GROUP BY sensor',
  'p95 by hour over all sensors': `SELECT percentile(temperature, 95) FROM readings WHERE ${all} GROUP BY time(1h)`,
  'each location by hour': `SELECT mean(temperature) FROM readings WHERE ${all} GROUP BY time(1h), location`,
  'count and mean of everything': 'SELECT count(temperature), mean(temperature) FROM readings',
  'a page of 1 000 raw points of one sensor':
    "SELECT temperature FROM readings WHERE sensor = 's500' ORDER BY time DESC LIMIT 1000",
};
/** What Grafana's builder can send of one sensor; these do not count for the mean. */
const ofOneSensor = (fn: string, rest = 'GROUP BY time(1h)'): string =>
  `SELECT ${fn} FROM readings WHERE sensor = 's500' AND ${all} ${rest}`;
const watched: Record<string, string> = {
  'median of one sensor by hour': ofOneSensor('median(temperature)'),
  'p95 of one sensor by hour': ofOneSensor('percentile(temperature, 95)'),
  'three highest of one sensor by hour': ofOneSensor('top(temperature, 3)'),
  'slope of one sensor by hour': ofOneSensor('derivative(mean(temperature), 1h)'),
  'integral of one sensor by hour': ofOneSensor('integral(temperature)'),
  'first point of one sensor in a range': ofOneSensor('first(temperature)', ''),
};

interface Peer {
  url: string;
  token: string;
}

interface Answer {
  results: { series?: { tags?: Record<string, string>; columns: string[]; values: unknown[][] }[] }[];
}

/** InfluxQL on 10 M points of 1 000 series: influxd and Tidemark in turns, with the same answers. */
export async function queriesBesideInfluxd(): Promise<Row[]> {
  const binary = findInfluxd();
  if (binary === undefined) throw new Error('queries needs influxd: set INFLUXD_BIN');
  const dataDir = await mkdtemp(join(tmpdir(), 'tidemark-bench-'));
  const influxd = await startInfluxd(binary);
  const tidemark = await startTidemark(dataDir);
  const pid = tidemark.process.pid!;
  try {
    const { org, bucket, token } = influxd;
    const httpUrl = String(tidemark.ready.httpUrl);
    await loadReadings('influxd', `${influxd.url}/api/v2/write?org=${org}&bucket=${bucket}`, token);
    await untilIdle(influxd.pid);
    await loadReadings('Tidemark', `${httpUrl}/api/v2/write?bucket=tidemark`, 'none');
    await untilIdle(pid);
    const rows: Row[] = [];
    const ratios: number[] = [];
    for (const [what, query] of Object.entries({ ...queries, ...watched })) {
      const { theirsMs, oursMs } = await measure(what, query, {
        influxd: { url: influxd.url, token },
        tidemark: { url: httpUrl, token: 'none' },
      });
      const ratio = median(theirsMs) / median(oursMs);
      if (what in queries) ratios.push(ratio);
      rows.push({
        what: `query: ${what}`,
        figure: `${ratio.toFixed(1)}×`,
        note: `influxd ${median(theirsMs).toFixed(1)} ms, Tidemark ${median(oursMs).toFixed(1)} ms (slowest ${Math.max(...oursMs).toFixed(0)} ms)`,
      });
    }
    const mean = Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length);
    return [
      ...rows,
      {
        what: 'queries: geometric mean',
        figure: `${mean.toFixed(1)}×`,
        note: 'target: at least 5×, none below 1×',
      },
      {
        what: 'queries: peak memory of Tidemark, loading included',
        figure: `${Math.round(peakMemoryMiBOf(pid))} MiB`,
        note: `target: under 1 000 MB; load average of the machine at the end ${loadavg()[0]!.toFixed(1)}`,
      },
    ];
  } finally {
    await tidemark.stop();
    await influxd.stop();
    await rm(dataDir, { recursive: true });
  }
}

/** Times of each round, after one that is only compared. */
async function measure(
  what: string,
  query: string,
  { influxd, tidemark }: { influxd: Peer; tidemark: Peer },
): Promise<{ theirsMs: number[]; oursMs: number[] }> {
  const theirsMs: number[] = [];
  const oursMs: number[] = [];
  const startedMs = performance.now();
  const isEnough = (round: number): boolean => round > ROUNDS && performance.now() - startedMs > MEASURED_MS;
  for (let round = 0; round <= MOST_ROUNDS && !isEnough(round); round++) {
    const theirs = await ask(influxd, query);
    const ours = await ask(tidemark, query);
    if (round > 0) {
      theirsMs.push(theirs.tookMs);
      oursMs.push(ours.tookMs);
      continue;
    }
    const found = difference(JSON.parse(theirs.body) as Answer, JSON.parse(ours.body) as Answer);
    if (found !== undefined) throw new Error(`${what}: ${found}`);
  }
  return { theirsMs, oursMs };
}

async function ask({ url, token }: Peer, q: string): Promise<{ body: string; tookMs: number }> {
  const startedMs = performance.now();
  const response = await fetch(`${url}/query?${new URLSearchParams({ db: 'tidemark', epoch: 'ms', q })}`, {
    headers: { authorization: `Token ${token}` },
  });
  const body = await response.text();
  const tookMs = performance.now() - startedMs;
  if (!response.ok) throw new Error(`${response.status}: ${body.slice(0, 300)}`);
  return { body, tookMs };
}

/** Where two answers differ; undefined where they say the same of something. */
function difference(theirs: Answer, ours: Answer): string | undefined {
  const [left = [], right = []] = [theirs, ours].map(({ results }) => results[0]?.series);
  if (left.length === 0 || left.length !== right.length) {
    return `influxd answers ${left.length} series, Tidemark ${right.length}`;
  }
  for (const [index, series] of left.entries()) {
    const other = right[index]!;
    const [head, otherHead] = [series, other].map(({ tags, columns }) => JSON.stringify([tags, columns]));
    if (head !== otherHead) return `series ${index} is ${head}, but ${otherHead} from Tidemark`;
    if (series.values.length !== other.values.length) {
      return `series ${index} has ${series.values.length} rows, but ${other.values.length} from Tidemark`;
    }
    const row = series.values.findIndex((cells, position) => !isSameRow(cells, other.values[position]!));
    if (row >= 0)
      return `series ${index}, row ${row}: ${series.values[row]}, but ${other.values[row]} from Tidemark`;
  }
  return undefined;
}

function isSameRow(cells: readonly unknown[], others: readonly unknown[]): boolean {
  return cells.every((cell, index) => {
    const other = others[index];
    if (typeof cell !== 'number' || typeof other !== 'number') return cell === other;
    return Math.abs(cell - other) <= TOLERANCE * Math.max(1, Math.abs(cell), Math.abs(other));
  });
}
