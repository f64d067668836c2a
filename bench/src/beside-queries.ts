import { mkdtemp, rm } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { peakMemoryMiBOf, runJson, startTidemark } from './process.ts';
import { END_MS, FIRST_MS, loadReadings, untilIdle } from './readings.ts';
import { median, type Row } from './table.ts';

const loader = fileURLToPath(new URL('./mqtt-load.ts', import.meta.url));
const RATE = 5000;
const CONNECTIONS = 20;
const WINDOW = 1000;
const MESSAGES = 25_000;
const ROUNDS = 9;

interface Load {
  p50Ms: number;
  p99Ms: number;
}

/** PUBACK at 5 000 readings/s on a store of 10 M points: idle, and while four clients ask what costs most, in turns. */
export async function besideQueries(): Promise<Row[]> {
  const dataDir = await mkdtemp(join(tmpdir(), 'tidemark-bench-'));
  const tidemark = await startTidemark(dataDir);
  const pid = tidemark.process.pid!;
  try {
    const { httpUrl, mqttPort } = tidemark.ready;
    await loadReadings('Tidemark', `${httpUrl}/api/v2/write?bucket=tidemark`, 'none');
    await untilIdle(pid);
    const publish = (): Promise<Load> =>
      runJson<Load>([loader, ...[mqttPort, CONNECTIONS, WINDOW, MESSAGES, RATE].map(String)]);
    await publish();
    const idle: Load[] = [];
    const beside: Load[] = [];
    let answers = 0;
    for (let round = 0; round < ROUNDS; round++) {
      idle.push(await publish());
      const end = new AbortController();
      const clients = questions(String(httpUrl)).map((question) => askUntil(question, end.signal));
      beside.push(await publish());
      end.abort();
      for (const count of await Promise.all(clients)) answers += count;
    }
    const ratio = median(beside.map(({ p99Ms }, round) => p99Ms / idle[round]!.p99Ms));
    return [
      row('idle', idle, ''),
      row('while queries run', beside, `${answers} queries answered meanwhile`),
      {
        what: 'PUBACK p99: beside queries / idle',
        figure: `${ratio.toFixed(1)}×`,
        note: 'target: at most 2×',
      },
      {
        what: 'PUBACK beside queries: peak memory, loading included',
        figure: `${Math.round(peakMemoryMiBOf(pid))} MiB`,
        note: `target: under 1 000 MB; load average of the machine at the end ${loadavg()[0]!.toFixed(1)}`,
      },
    ];
  } finally {
    await tidemark.stop();
    await rm(dataDir, { recursive: true });
  }
}

type Question = () => Promise<Response>;

/** What costs most, of each kind. */
function questions(url: string): Question[] {
  const [from, to] = [FIRST_MS, END_MS].map((ms) => new Date(ms).toISOString()) as [string, string];
  const where = `time >= '${from}' AND time < '${to}'`;
  const influxql = (q: string): Question => {
    return () => fetch(`${url}/query?${new URLSearchParams({ db: 'tidemark', epoch: 'ms', q })}`);
  };
  const windows = new URLSearchParams({
    metric: 'temperature',
    fn: 'mean',
    by: 'sensor',
    every: '1h',
    from,
    to,
  });
  const compute = JSON.stringify({ temperature: ['stddev', 'distinct'], from, to });
  const headers = { 'content-type': 'application/json' };
  return [
    influxql(`SELECT mean(temperature) FROM readings WHERE ${where} GROUP BY time(1h), sensor`),
    influxql(`SELECT percentile(temperature, 95) FROM readings WHERE ${where} GROUP BY time(1h)`),
    () => fetch(`${url}/api/v1/windows?${windows}`),
    () => fetch(`${url}/compute/metrics`, { method: 'POST', headers, body: compute }),
  ];
}

/** Asks again and again; answers how often. */
async function askUntil(question: Question, signal: AbortSignal): Promise<number> {
  let count = 0;
  for (; !signal.aborted; count++) {
    const response = await question();
    const body = await response.text();
    if (!response.ok) throw new Error(`${response.status}: ${body.slice(0, 300)}`);
  }
  return count;
}

function row(what: string, loads: readonly Load[], note: string): Row {
  const [p50, p99] = [loads.map(({ p50Ms }) => p50Ms), loads.map(({ p99Ms }) => p99Ms)].map(median);
  return { what: `PUBACK ${what}: p50, p99`, figure: `${p50!.toFixed(1)}, ${p99!.toFixed(1)} ms`, note };
}
