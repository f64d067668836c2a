// `npm run test:faults` runs every case in its long form, and keeps what it saw in RESULTS.json and the docs;
// `-- --case a --short --seed 7` one of them, its short form, a run's choices again.
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import type { FaultCase } from './fault-case.ts';
import { keepRecord, type Line } from './record.ts';
import { loadCases, missingNeed, runCase } from './run-case.ts';

const { values: options } = parseArgs({
  options: {
    case: { type: 'string', multiple: true },
    short: { type: 'boolean', default: false },
    seed: { type: 'string' },
  },
});
const mode = options.short ? 'short' : 'long';
const seed = Number(options.seed ?? Math.floor(Math.random() * 2 ** 31));
const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort());

const all = await loadCases();
const unknown = options.case?.find((id) => !all.some((faultCase) => faultCase.id === id));
if (unknown !== undefined) {
  process.stderr.write(`there is no case ${unknown}; there are ${all.map(({ id }) => id).join(', ')}\n`);
  process.exit(2);
}
const lines: Line[] = [];
for (const faultCase of all) {
  if (options.case !== undefined && !options.case.includes(faultCase.id)) continue;
  if (interrupted.signal.aborted) break;
  lines.push(await runToLine(faultCase));
  process.stdout.write(`${describe(lines.at(-1)!)}\n`);
}
// The short form is no record of what the platform stands.
if (mode === 'long' && !interrupted.signal.aborted) {
  const machine = { cores: availableParallelism(), node: process.version };
  await keepRecord(lines, { date: new Date().toISOString().slice(0, 10), seed, machine }, all);
}
const failed = lines.filter(({ outcome }) => outcome === 'failed').length;
process.stdout.write(
  `\n${lines.length - failed} of ${lines.length} cases hold (${mode} form, seed ${seed})\n`,
);
process.exitCode = failed > 0 || interrupted.signal.aborted ? 1 : 0;

async function runToLine(faultCase: FaultCase): Promise<Line> {
  const { id, title, criterion } = faultCase;
  const startedMs = performance.now();
  const line = (outcome: Line['outcome'], more: Partial<Line>): Line => {
    const seconds = Math.round((performance.now() - startedMs) / 100) / 10;
    return { id, title, criterion, outcome, seconds, ...more };
  };
  const missing = missingNeed(faultCase);
  if (missing !== undefined) return line('skipped', { detail: `${missing} is missing` });
  try {
    const onProgress = (text: string): void => void process.stderr.write(`  ${id}: ${text}\n`);
    return line('passed', await runCase(faultCase, { mode, seed, onProgress, signal: interrupted.signal }));
  } catch (error) {
    return line('failed', {
      detail: error instanceof Error ? (error.stack ?? error.message) : String(error),
    });
  }
}

function describe({ id, title, outcome, seconds, detail, counts = {}, recorded = {} }: Line): string {
  const pairs = Object.entries({ ...counts, ...recorded }).map(
    ([name, value]) => `${name}=${rounded(value)}`,
  );
  return [`${outcome.padEnd(7)} ${id}  ${title} (${seconds} s)`, pairs.join(' '), detail ?? '']
    .filter((part) => part !== '')
    .join('\n           ');
}

function rounded(value: number | string): number | string {
  return typeof value === 'number' ? Math.round(value * 100) / 100 : value;
}
