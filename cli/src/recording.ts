import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { formatTime, idProblem, parseTime, TidemarkError } from '@tidemark/core';
import { type Options, type Parser, parse } from 'csv-parse';

const timeNames = ['time', 'timestamp', 'ts', 'datetime', 'date_time', '_time', 'date'];
/** Keys of a payload that are no metrics. */
const reservedNames = ['id', 'time', 'timestamp', 'ts', 'location', 'sensor'];
const numberPattern = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
/** Rows looked at to tell columns of numbers from columns of text. */
const sampleRows = 100;
/** Damaged rows without a good one between them after which the file is given up. */
const maxDamagedInRow = 10_000;
const longestHeaderBytes = 16 * 1024;

/** A row's readings, ready to publish, or why there are none. */
export type RecordedRow =
  | { line: number; timeNs: bigint; payload: string; faults: readonly RowFault[] }
  | { line: number; payload: undefined; faults: readonly RowFault[] };

/** One thing wrong with a row; `reason` is from a closed list so that it can be counted. */
export interface RowFault {
  reason: 'malformed_row' | 'bad_time' | 'not_a_number' | 'not_finite' | 'missing_value';
  detail: string;
}

interface RecordingParts {
  file: string;
  /** Header of the time column; found by its usual names when undefined. */
  timeColumn?: string | undefined;
  /** Metric of the column `value`, or of the only column of numbers. */
  metric: string;
}

interface Layout {
  width: number;
  timeIndex: number;
  metrics: readonly { index: number; name: string; key: string }[];
}

interface Row {
  line: number;
  cells: readonly string[];
  fault?: RowFault;
}

/** A CSV file of readings: a header, a time column, and columns of numbers. Read as a stream. */
export class Recording {
  readonly #parts: RecordingParts;
  /** Bytes of the file that rows were made from. */
  bytesRead = 0;
  /** Columns that are not published, each with the reason. */
  readonly ignored: string[] = [];

  constructor(parts: RecordingParts) {
    this.#parts = parts;
  }

  /** Every row of the file in order. Throws `bad_request` when it has no header, time or column of numbers. */
  async *rows(): AsyncGenerator<RecordedRow> {
    let header: readonly string[] | undefined;
    let layout: Layout | undefined;
    let sample: Row[] = [];
    for await (const row of this.#read()) {
      if (row.fault) {
        yield { line: row.line, payload: undefined, faults: [row.fault] };
      } else if (header === undefined) {
        header = row.cells.map((name) => name.trim());
      } else if (layout !== undefined) {
        yield toRecordedRow(row, layout);
      } else if (sample.push(row) >= sampleRows) {
        layout = this.#layOut(header, sample);
        for (const early of sample) yield toRecordedRow(early, layout);
        sample = [];
      }
    }
    if (header === undefined) throw this.#fault('is empty; it needs a header line and a time column');
    layout ??= this.#layOut(header, sample);
    for (const row of sample) yield toRecordedRow(row, layout);
  }

  async *#read(): AsyncGenerator<Row> {
    const damaged: Row[] = [];
    const parser: Parser = parse({
      bom: true,
      delimiter: await detectDelimiter(this.#parts.file),
      info: true,
      relax_column_count: true,
      skip_empty_lines: true,
      skip_records_with_error: true,
      on_skip: (error) => {
        const line = 'lines' in (error ?? {}) ? Number((error as unknown as { lines: number }).lines) : 0;
        if (damaged.length >= maxDamagedInRow) parser.destroy(this.#fault('is no CSV file that can be read'));
        damaged.push({ line, cells: [], fault: { reason: 'malformed_row', detail: error?.message ?? '' } });
        return undefined;
      },
    } satisfies Options);
    const input = createReadStream(this.#parts.file);
    input.on('error', (error) => parser.destroy(error));
    for await (const { info, record } of input.pipe(parser) as AsyncIterable<CsvRecord>) {
      yield* damaged.splice(0);
      this.bytesRead = info.bytes;
      yield { line: info.lines, cells: record };
    }
    yield* damaged;
    this.bytesRead = input.bytesRead;
  }

  #layOut(header: readonly string[], sample: readonly Row[]): Layout {
    const timeIndex = this.#timeIndex(header);
    const numeric = header.flatMap((name, index) => {
      if (index === timeIndex) return [];
      const problem = columnProblem(name, index, sample);
      if (problem !== undefined) this.ignored.push(`${name || `column ${index + 1}`} ${problem}`);
      return problem === undefined ? [{ index, name }] : [];
    });
    if (numeric.length === 0) throw this.#fault(`has no column of numbers besides "${header[timeIndex]}"`);
    const metrics = numeric.map(({ index, name }) => {
      const metric = name === 'value' || numeric.length === 1 ? this.#parts.metric : name;
      return { index, name: metric, key: `${JSON.stringify(metric)}:` };
    });
    return { width: header.length, timeIndex, metrics };
  }

  #timeIndex(header: readonly string[]): number {
    const { timeColumn } = this.#parts;
    const names = header.map((name) => name.toLowerCase());
    const wanted = timeColumn === undefined ? timeNames : [timeColumn.toLowerCase()];
    const found = wanted.map((name) => names.indexOf(name)).find((index) => index !== -1);
    if (found !== undefined) return found;
    const columns = header.map((name) => `"${name}"`).join(', ');
    throw this.#fault(
      timeColumn === undefined
        ? `has no column of a usual name for times; its columns are ${columns}; name it with --time`
        : `has no column "${timeColumn}"; its columns are ${columns}`,
    );
  }

  #fault(text: string): TidemarkError {
    return new TidemarkError('bad_request', `${this.#parts.file} ${text}`);
  }
}

/** The one of comma, semicolon and tab that the first line holds most of. */
async function detectDelimiter(file: string): Promise<string> {
  const handle = await open(file);
  try {
    const { buffer, bytesRead } = await handle.read(
      Buffer.alloc(longestHeaderBytes),
      0,
      longestHeaderBytes,
      0,
    );
    const [header = ''] = buffer.toString('utf8', 0, bytesRead).split(/\r?\n/, 1);
    const count = (delimiter: string) => header.split(delimiter).length;
    return [',', ';', '\t'].reduce((best, next) => (count(next) > count(best) ? next : best));
  } finally {
    await handle.close();
  }
}

interface CsvRecord {
  info: { lines: number; bytes: number };
  record: string[];
}

function columnProblem(name: string, index: number, sample: readonly Row[]): string | undefined {
  if (reservedNames.includes(name)) return 'is no name for a metric';
  const problem = idProblem(name);
  if (problem !== undefined) return `is no name for a metric: it ${problem}`;
  const cells = sample.map(({ cells }) => (cells[index] ?? '').trim()).filter((cell) => cell !== '');
  return cells.length > 0 && !cells.some((cell) => numberPattern.test(cell)) ? 'holds no numbers' : undefined;
}

function toRecordedRow({ line, cells }: Row, layout: Layout): RecordedRow {
  if (cells.length !== layout.width) {
    const detail = `has ${cells.length} columns, the header ${layout.width}`;
    return { line, payload: undefined, faults: [{ reason: 'malformed_row', detail }] };
  }
  const timeText = cells[layout.timeIndex] ?? '';
  const timeNs = parseRecordedTime(timeText);
  if (timeNs === undefined) {
    return {
      line,
      payload: undefined,
      faults: [{ reason: 'bad_time', detail: `no time: ${quote(timeText)}` }],
    };
  }
  const faults: RowFault[] = [];
  let values = '';
  for (const { index, name, key } of layout.metrics) {
    const text = cells[index]!.trim();
    const problem = numberProblem(text);
    if (problem === undefined) values += `${key}${jsonNumber(Number(text))},`;
    else if (text !== '') faults.push({ reason: problem, detail: `${name}: ${quote(text)}` });
  }
  if (values === '') {
    if (faults.length === 0) faults.push({ reason: 'missing_value', detail: 'no value' });
    return { line, payload: undefined, faults };
  }
  return { line, timeNs, payload: `{${values}"time":"${formatTime(timeNs)}"}`, faults };
}

/** JSON has fewer ways to write a number than CSV files use; this one is the same double, -0 included. */
function jsonNumber(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value);
}

function numberProblem(text: string): 'not_a_number' | 'not_finite' | undefined {
  if (!numberPattern.test(text)) return 'not_a_number';
  return Number.isFinite(Number(text)) ? undefined : 'not_finite';
}

// Logs of people leave the seconds or the whole time of day out; core's times do not.
function parseRecordedTime(cell: string): bigint | undefined {
  const text = cell.trim();
  if (/^\d{4}-\d{2}-\d{2}$/.test(text)) return parseTime(`${text} 00:00:00`);
  if (/^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}$/.test(text)) return parseTime(`${text}:00`);
  return /^\d+\.\d+$/.test(text) ? parseTime(Number(text)) : parseTime(text);
}

function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
