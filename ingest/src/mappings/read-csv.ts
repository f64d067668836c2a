import { isUtf8 } from 'node:buffer';
import { messageOf } from '@tidemark/core';
import { CsvError, parse } from 'csv-parse/sync';
import type { Fault, Limits } from '../decoders/decoded.ts';
import type { Parts } from './read-parts.ts';
import type { Part } from './reading-mapper.ts';

interface CsvSettings {
  /** Without them, the first row of each message has the names. */
  columns?: readonly string[] | undefined;
  delimiter: string;
}

interface Row {
  record: string[];
  raw: string;
}

/** Columns beside those that become values: sensor, location, time, and some that are left out. */
const MORE_COLUMNS = 192;
/** A longer header is not kept with each row that is refused. */
const MAX_HEADER_LENGTH = 4096;

/** The rows of a message, each as an object of its columns; empty cells hold nothing. */
export function readCsv(
  payload: Buffer,
  { columns, delimiter }: CsvSettings,
  limits: Limits,
): Parts | Omit<Fault, 'index'> {
  if (!isUtf8(payload)) return { reason: 'invalid_utf8', detail: 'the payload is no UTF-8' };
  const rows = parseRows(payload, delimiter, limits.maxReadingsPerMessage);
  if (!Array.isArray(rows)) return rows;
  const header = columns === undefined ? rows.shift() : undefined;
  const names = columns ?? header?.record ?? [];
  if (rows.length === 0) return { reason: 'empty', detail: 'the message holds no row' };
  if (rows.length > limits.maxReadingsPerMessage)
    return { reason: 'too_many_readings', detail: `more than ${limits.maxReadingsPerMessage} rows` };
  if (names.length > limits.maxFieldsPerReading + MORE_COLUMNS)
    return { reason: 'too_many_fields', detail: `${names.length} columns` };
  if (new Set(names).size < names.length)
    return { reason: 'malformed_csv', detail: 'two columns have one name' };
  const isWhole = header !== undefined && header.raw.length > MAX_HEADER_LENGTH;
  const parts: Part[] = [];
  const faults: Fault[] = [];
  for (const [index, { record, raw }] of rows.entries()) {
    // A row alone could not be read again without its names.
    const whole = isWhole ? undefined : (header === undefined ? '' : ensureEnd(header.raw)) + raw;
    if (record.length === names.length) parts.push({ root: objectOf(names, record), index, raw: whole });
    else {
      const detail = `row ${index + 1} has ${record.length} cells; there are ${names.length} columns`;
      faults.push({ index, reason: 'malformed_csv', detail, raw: whole });
    }
  }
  return { parts, faults, isWhole };
}

/** Up to one row more than may be, behind the header. */
function parseRows(payload: Buffer, delimiter: string, maxRows: number): Row[] | Omit<Fault, 'index'> {
  try {
    const rows: unknown = parse(payload, {
      delimiter,
      bom: true,
      raw: true,
      relax_column_count: true,
      skip_empty_lines: true,
      trim: true,
      to: maxRows + 2,
    });
    return rows as Row[];
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    return { reason: 'malformed_csv', detail: messageOf(error) };
  }
}

/** Without a prototype, so that no name of a column means anything. */
function objectOf(names: readonly string[], cells: readonly string[]): object {
  const object: Record<string, string | null> = Object.create(null);
  for (const [index, name] of names.entries()) object[name] = cells[index] === '' ? null : cells[index]!;
  return object;
}

function ensureEnd(line: string): string {
  return /[\r\n]$/.test(line) ? line : `${line}\n`;
}
