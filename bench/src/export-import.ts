import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  type Child,
  memoryMiBOf,
  peakMemoryMiBOf,
  runJson,
  runToEnd,
  startTidemark,
  tidemark,
} from './process.ts';
import { untilIdle } from './readings.ts';
import type { Row } from './table.ts';
import { query, untilStored } from './year.ts';

const POINTS = 10_000_000;
const SAMPLE_MS = 100;
const FIRST_MS = Date.UTC(2025, 0, 1);
const END = '2026-01-01T00:00:00Z';
const ALL = `time >= ${FIRST_MS}ms AND time < '${END}'`;
const loader = fileURLToPath(new URL('./year-load.ts', import.meta.url));

const extensions: Record<string, string> = { csv: 'csv', parquet: 'parquet', line: 'lp' };
/** What both platforms have to answer alike: sums of all series by month, and each point of some hours of some. */
const questions = [
  `SELECT count(value), min(value), max(value) FROM climate WHERE ${ALL} GROUP BY sensor, time(30d)`,
  ...[3, 77, 150, 262, 364].map((day) => {
    const from = `'2025-01-01T00:00:00Z' + ${day}d`;
    return `SELECT value FROM climate WHERE sensor =~ /^s(7|500|999)$/ AND time >= ${from} AND time < ${from} + 12h GROUP BY sensor`;
  }),
];
const sums = `SELECT sum(value) FROM climate WHERE ${ALL} GROUP BY sensor, time(30d)`;

/** A year of 1 000 series, exported to each format (`csv,parquet`: to some) and imported into a new platform. */
export async function exportImport(points = String(POINTS), formats = 'csv,parquet,line'): Promise<Row[]> {
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-bench-'));
  try {
    const source = join(folder, 'source');
    await runJson([loader, 'fill', source, points]);
    const rows: Row[] = [];
    for (const format of formats.split(',')) {
      const file = join(folder, `all.${extensions[format]}`);
      rows.push(...(await transfer({ source, file, format, points: Number(points) })));
      await rm(file);
    }
    return rows;
  } finally {
    await rm(folder, { recursive: true });
  }
}

interface Transfer {
  /** Data folder of a platform that has the points. */
  source: string;
  file: string;
  format: string;
  points: number;
}

async function transfer({ source, file, format, points }: Transfer): Promise<Row[]> {
  const from = await startTidemark(source);
  const target = await mkdtemp(`${file}-`);
  const rows: Row[] = [];
  const told = (row: Row) => {
    process.stderr.write(`  ${row.what}: ${row.figure}; ${row.note}\n`);
    rows.push(row);
  };
  try {
    await untilIdle(from.process.pid!);
    const out = await measured(from, ['export', file]);
    const gib = ((await stat(file)).size / 2 ** 30).toFixed(1);
    told({ what: `export ${format}, ${gib} GiB`, ...out.told(points) });
    const to = await startTidemark(target);
    try {
      const into = await measured(to, ['import', file], () => untilStored(to, points));
      told({ what: `import ${format}`, ...into.told(points) });
      for (const server of [from, to]) await untilIdle(server.process.pid!);
      await expectSame(from, to, points);
      const afterwards = [from, to].map(({ process: { pid } }) => Math.round(memoryMiBOf(pid!)));
      told({
        what: `${format}: platforms afterwards, at rest`,
        figure: `${afterwards.join(' and ')} MiB`,
        note: `who exported and who imported; load average ${loadavg().map(Math.round).join(', ')}`,
      });
    } finally {
      await to.stop();
    }
    return rows;
  } finally {
    await from.stop();
    await rm(target, { recursive: true });
  }
}

interface Measured {
  told(points: number): Omit<Row, 'what'>;
}

/** Runs a command against a platform until it, and what it began there, is over; with the memory of all that take part. */
async function measured(
  { process: platform, ready }: Child,
  args: readonly string[],
  untilOver = async (): Promise<void> => {},
): Promise<Measured> {
  const pid = platform.pid!;
  const peaks = { command: 0, child: 0 };
  // Linux counts the peak anew from here on.
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
  const startMiB = memoryMiBOf(pid);
  const sampling = setInterval(() => {
    for (const child of childrenOf(pid)) peaks.child = Math.max(peaks.child, peakOf(child));
    for (const own of childrenOf(process.pid))
      if (isCommand(own)) peaks.command = Math.max(peaks.command, peakOf(own));
  }, SAMPLE_MS);
  const startMs = performance.now();
  try {
    await runToEnd([tidemark, ...args, '--json', '--url', String(ready.httpUrl)]);
    const commandS = (performance.now() - startMs) / 1000;
    await untilOver();
    const seconds = (performance.now() - startMs) / 1000;
    const peakMiB = peakMemoryMiBOf(pid);
    const ofChild = peaks.child === 0 ? '' : `, its child ${Math.round(peaks.child)}`;
    const memory = `platform ${Math.round(startMiB)} to ${Math.round(peakMiB)} MiB${ofChild}, command ${Math.round(peaks.command)}`;
    return {
      told: (points) => ({
        figure: `${Math.round(points / seconds).toLocaleString('en')} points/s`,
        note: `${memory}; ${Math.round(commandS)} s, all done after ${Math.round(seconds)}`,
      }),
    };
  } finally {
    clearInterval(sampling);
  }
}

/** The peak of a process that may have ended. */
function peakOf(pid: number): number {
  try {
    return peakMemoryMiBOf(pid);
  } catch {
    return 0;
  }
}

function isCommand(pid: number): boolean {
  try {
    return /\0(export|import)\0/.test(readFileSync(`/proc/${pid}/cmdline`, 'latin1'));
  } catch {
    return false;
  }
}

/** Those that any thread of a process has started. */
function childrenOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((thread) => {
    const text = readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8');
    return text.split(' ').filter(Boolean).map(Number);
  });
}

/** Sums differ in their last digits by the order of addition alone. */
async function expectSame(from: Child, to: Child, points: number): Promise<void> {
  for (const { ready } of [from, to]) {
    const [[, count] = []] = await query(ready, 'SELECT count(value) FROM climate');
    if (count !== points) throw new Error(`${count} points are there instead of ${points}`);
  }
  for (const question of questions) {
    const [one, other] = await Promise.all([from, to].map(({ ready }) => answerOf(ready, question)));
    if (one !== other) throw new Error(`both platforms answer otherwise: ${question}`);
  }
  const [one, other] = await Promise.all(
    [from, to].map(async ({ ready }) => numbersIn(await answerOf(ready, sums))),
  );
  const isSame = one!.every((sum, index) => Math.abs(sum - other![index]!) <= 1e-9 * Math.abs(sum));
  if (one!.length !== other!.length || !isSame) throw new Error(`both platforms answer otherwise: ${sums}`);
}

async function answerOf(ready: Child['ready'], q: string): Promise<string> {
  const response = await fetch(`${ready.httpUrl}/query?${new URLSearchParams({ db: 'tidemark', q })}`);
  const text = await response.text();
  if (!response.ok || !text.includes('"series"')) throw new Error(`${q}: ${response.status} ${text}`);
  return text;
}

function numbersIn(answer: string): number[] {
  const { results } = JSON.parse(answer) as {
    results: { series: { values: [string, number | null][] }[] }[];
  };
  return results.flatMap(({ series }) => series.flatMap(({ values }) => values.map(([, sum]) => sum ?? 0)));
}
