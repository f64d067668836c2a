import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import type { CaseResult } from './fault-case.ts';

/** How one case went. */
export interface Line extends Partial<CaseResult> {
  id: string;
  title: string;
  criterion: string;
  outcome: 'passed' | 'failed' | 'skipped';
  seconds: number;
  detail?: string;
}

/** The last long run of a case. */
interface RecordedLine extends Line {
  /** Day of the run, UTC. */
  date: string;
  seed: number;
  machine: { cores: number; node: string };
}

type Run = Pick<RecordedLine, 'date' | 'seed' | 'machine'>;

const resultsFile = new URL('./RESULTS.json', import.meta.url);
const docsFile = new URL('../../docs/reliability.md', import.meta.url);
const BEGIN = '<!-- Made by `npm run test:faults` from what it saw last; not to be edited. -->';
const END = '<!-- The end of what is made. -->';

/** Takes the lines of a long run into RESULTS.json in the place of those cases' older ones, and into the docs. */
export async function keepRecord(
  lines: readonly Line[],
  run: Run,
  cases: readonly Pick<Line, 'id' | 'title' | 'criterion'>[],
): Promise<void> {
  const recorded = await readRecord();
  for (const line of lines) recorded.set(line.title, { ...line, ...run });
  const current = cases.flatMap(({ title }) => recorded.get(title) ?? []);
  await writeFile(resultsFile, `${JSON.stringify(current, undefined, 2)}\n`);
  const page = await readFile(docsFile, 'utf8');
  const [before, rest] = page.split(BEGIN) as [string, string];
  const after = rest.slice(rest.indexOf(END));
  await writeFile(docsFile, `${before}${BEGIN}\n\n${describeCases(cases, recorded)}\n\n${after}`);
}

async function readRecord(): Promise<Map<string, RecordedLine>> {
  const text = existsSync(resultsFile) ? await readFile(resultsFile, 'utf8') : '[]';
  return new Map((JSON.parse(text) as RecordedLine[]).map((line) => [line.title, line]));
}

/** A table of what must hold and what was counted, then the times and sizes of each case. */
function describeCases(
  cases: readonly Pick<Line, 'id' | 'title' | 'criterion'>[],
  recorded: ReadonlyMap<string, RecordedLine>,
): string {
  const rows = cases.map(({ id, title, criterion }) => {
    const repeat = `\`npm run test:faults -- --case ${id}\``;
    return [id, title, criterion, seenOf(recorded.get(title)), repeat];
  });
  const figures = cases.flatMap(({ id, title }) => {
    const found = Object.entries(recorded.get(title)?.recorded ?? {});
    if (found.length === 0) return [];
    const items = found.map(([name, value]) => `- ${describeFigure(name, value)}`);
    return [`### ${id}. ${title}`, items.join('\n')];
  });
  const table = toTable([['', 'tried', 'must hold', 'seen', 'repeat it'], ...rows]);
  return [table, ...figures].join('\n\n');
}

function seenOf(line: RecordedLine | undefined): string {
  if (line === undefined) return '**not yet run in its long form**';
  const { outcome, date, seconds, machine, counts = {} } = line;
  const found = Object.entries(counts).map(([name, value]) => describeFigure(name, value));
  const where = `${date}, ${Math.round(seconds)} s on ${machine.cores} cores`;
  return [`**${outcome}** (${where})`, ...found].join('; ');
}

const units: readonly (readonly [RegExp, string])[] = [
  [/ ms$/, ' ms'],
  [/ seconds$/, ' s'],
  [/ mi b$/, ' MiB'],
  [/ bytes$/, ' bytes'],
];

/** `stoppedDrainPubackP99Ms` and 12.3 as "stopped drain PUBACK p99: 12.3 ms". */
function describeFigure(name: string, value: number | string): string {
  const words = name
    .replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
    .replace('puback', 'PUBACK')
    .trim();
  const [pattern, unit] = units.find(([suffix]) => suffix.test(words)) ?? [/$^/, ''];
  const text = typeof value === 'number' ? Number(value.toPrecision(4)).toLocaleString('en') : value;
  return `${words.replace(pattern, '')}: ${text}${unit}`;
}

function toTable([heads = [], ...rows]: string[][]): string {
  const widths = heads.map((head, column) =>
    Math.max(3, head.length, ...rows.map((row) => row[column]!.length)),
  );
  const line = (row: string[]): string =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`;
  return [line(heads), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}
