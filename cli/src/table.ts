import { stringifyJson } from '@tidemark/core';

/** A row of an answer: flat, its keys the columns. */
export type Item = Record<string, unknown>;

/** Items as lines of aligned columns, numbers to the right. */
export function toTable(items: readonly Item[]): string {
  const columns = columnsOf(items);
  const rows = [
    columns,
    ...items.map((item) => columns.map((column) => cellText(item[column]).replace(/\s+/g, ' '))),
  ];
  const widths = columns.map((_, index) => Math.max(...rows.map((row) => row[index]!.length)));
  const isNumeric = columns.map((column) => items.every((item) => !isText(item[column])));
  return rows
    .map((row) =>
      row
        .map((cell, index) =>
          isNumeric[index] ? cell.padStart(widths[index]!) : cell.padEnd(widths[index]!),
        )
        .join('  ')
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join('');
}

/** Items as CSV (RFC 4180) with a header line; what is missing or null is an empty cell. */
export function toCsv(items: readonly Item[]): string {
  const columns = columnsOf(items);
  const rows = [columns, ...items.map((item) => columns.map((column) => cellText(item[column])))];
  return rows.map((row) => `${row.map(quoteCell).join(',')}\n`).join('');
}

function columnsOf(items: readonly Item[]): string[] {
  return [...new Set(items.flatMap((item) => Object.keys(item)))];
}

function cellText(value: unknown): string {
  if (value === null || value === undefined) return '';
  return typeof value === 'string' ? value : stringifyJson(value);
}

function isText(value: unknown): boolean {
  return typeof value === 'string' || (typeof value === 'object' && value !== null);
}

function quoteCell(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
