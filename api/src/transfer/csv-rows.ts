import { Readable } from 'node:stream';
import { type ImportedRow, messageOf, TidemarkError } from '@tidemark/core';
import { CsvError, type Options, type Parser, parse } from 'csv-parse';
import { CellReader, csvColumns, RowFault, readTimeCell, readValueCell, shown } from './cells.ts';

type Column = (typeof csvColumns)[number];

interface CsvLimits {
  /** Rows of a batch. */
  maxRows: number;
  /** Of one row; a longer one ends the import. */
  maxRowBytes: number;
}

interface Parsed {
  raw: string;
  record: string[];
}

/** Columns that every file has; the others are empty where they are missing. */
const required: readonly Column[] = ['time', 'measurement', 'field', 'type', 'value'];

/**
 * Rows of a CSV file as `tidemark export` writes it, in batches; the header counts as none. Holds one batch and one row.
 * Throws `bad_request` when the header is another, or the file is no CSV, and `payload_too_large` for a row over its limit.
 */
export async function* readCsvRows(
  chunks: AsyncIterable<Uint8Array>,
  { maxRows, maxRowBytes }: CsvLimits,
): AsyncGenerator<ImportedRow[]> {
  let batch: ImportedRow[] = [];
  let index = 0;
  let places: Places | undefined;
  const reader = new CellReader();
  const { records, damaged } = parseCsv(chunks, maxRowBytes);
  const damagedRows = () =>
    damaged
      .splice(0)
      .map(({ raw, detail }) => ({ index: index++, reason: 'bad_line' as const, detail, raw }));
  try {
    for await (const { raw, record } of records) {
      batch.push(...damagedRows());
      if (places === undefined) places = placesOf(record);
      else batch.push(toRow(index++, record, raw, places, reader));
      if (batch.length < maxRows) continue;
      yield batch;
      batch = [];
    }
  } catch (error) {
    throw csvFault(error, maxRowBytes);
  }
  if (places === undefined) throw headerFault('it is empty');
  batch.push(...damagedRows());
  if (batch.length > 0) yield batch;
}

/** Where each column stands in a row; -1 for one that the file does not have. */
interface Places {
  width: number;
  at: Record<Column, number>;
}

function parseCsv(chunks: AsyncIterable<Uint8Array>, maxRowBytes: number) {
  const damaged: { raw: string; detail: string }[] = [];
  const parser: Parser = parse({
    bom: true,
    raw: true,
    max_record_size: maxRowBytes,
    record_delimiter: ['\r\n', '\n'],
    relax_column_count: true,
    skip_empty_lines: true,
    skip_records_with_error: true,
    on_skip: (error, raw = '') => {
      // What is too long does not end by being skipped.
      if (error instanceof CsvError && error.code === 'CSV_MAX_RECORD_SIZE') throw error;
      damaged.push({ raw, detail: `it is no CSV: ${error?.message ?? ''}` });
      return undefined;
    },
  } satisfies Options);
  const input = Readable.from(chunks, { objectMode: false });
  input.on('error', (error) => parser.destroy(error));
  parser.on('close', () => input.destroy());
  return { records: input.pipe(parser) as AsyncIterable<Parsed>, damaged };
}

function placesOf(header: readonly string[]): Places {
  const names = header.map((name) => name.trim());
  const unknown = names.find((name) => !csvColumns.some((column) => column === name));
  if (unknown !== undefined) throw headerFault(`column ${shown(unknown)} is none of them`);
  const missing = required.find((name) => !names.includes(name));
  if (missing !== undefined) throw headerFault(`${missing} is missing`);
  if (new Set(names).size < names.length) throw headerFault('a column is there twice');
  const at = Object.fromEntries(csvColumns.map((name) => [name, names.indexOf(name)]));
  return { width: names.length, at: at as Record<Column, number> };
}

function toRow(
  index: number,
  record: readonly string[],
  raw: string,
  { width, at }: Places,
  reader: CellReader,
): ImportedRow {
  try {
    if (record.length !== width)
      throw new RowFault('bad_line', `it has ${record.length} columns, the header ${width}`);
    const cell = (column: Column): string => record[at[column]] ?? '';
    const cells = {
      measurement: cell('measurement'),
      sensor: cell('sensor'),
      location: cell('location'),
      tags: cell('tags'),
      field: cell('field'),
    };
    const value = readValueCell(cell('type'), cell('value'));
    return { index, point: reader.point(cells, readTimeCell(cell('time')), value) };
  } catch (error) {
    if (!(error instanceof RowFault)) throw error;
    return { index, reason: error.reason, detail: error.message, raw: raw.trimEnd() };
  }
}

function headerFault(detail: string): TidemarkError {
  return new TidemarkError(
    'bad_request',
    `the header of the file has to be ${csvColumns.join(',')}: ${detail}`,
  );
}

function csvFault(error: unknown, maxRowBytes: number): unknown {
  if (!(error instanceof CsvError)) return error;
  if (error.code === 'CSV_MAX_RECORD_SIZE')
    return new TidemarkError('payload_too_large', `a row is longer than ${maxRowBytes} bytes`);
  return new TidemarkError('bad_request', `the body is no CSV: ${messageOf(error)}`);
}
