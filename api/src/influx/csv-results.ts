import type { QuerySeries, QueryValue } from '@tidemark/store';
import { type Result, timeTeller } from './results.ts';

/**
 * The answer as InfluxDB's CSV: a block for each statement, and for each change of columns. Errors, which
 * InfluxDB leaves out there, have a block of their own.
 */
export function* csvResults(results: readonly Result[], epoch: string | undefined): Generator<string> {
  let isFirst = true;
  for (const { series, error } of results) {
    let columns: readonly string[] | undefined;
    if (error !== undefined) {
      yield `${isFirst ? '' : '\n'}error\n${line([error])}`;
      isFirst = false;
    }
    for (const item of series) {
      if (columns === undefined || columns.join('\0') !== item.columns.join('\0')) {
        yield `${isFirst ? '' : '\n'}${line(['name', 'tags', ...item.columns])}`;
        columns = item.columns;
        isFirst = false;
      }
      yield* rowsOf(item, epoch);
    }
  }
}

function* rowsOf({ name, tags, hasTime, values }: QuerySeries, epoch: string | undefined): Generator<string> {
  const tell = timeTeller(epoch ?? 'ns', undefined);
  const head = [name ?? '', tagsOf(tags)];
  for (const row of values) {
    const cells = row.map((value, index) => textOf(hasTime && index === 0 ? tell(value as bigint) : value));
    yield line([...head, ...cells]);
  }
}

function tagsOf(tags: QuerySeries['tags']): string {
  if (tags === undefined) return '';
  return [...tags]
    .filter(([, value]) => value !== '')
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${escapeTag(key)}=${escapeTag(value)}`)
    .join(',');
}

function escapeTag(text: string): string {
  return text.replace(/[,= ]/g, '\\$&');
}

/** Without an exponent, as InfluxDB writes numbers. */
function textOf(value: QueryValue): string {
  if (value === null) return '';
  if (typeof value !== 'number' || !/e/.test(String(value))) return String(value);
  return Math.abs(value) >= 1 ? BigInt(value).toString() : value.toFixed(100).replace(/0+$/, '');
}

function line(cells: readonly string[]): string {
  return `${cells.map((cell) => (/[",\r\n]|^ /.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell)).join(',')}\n`;
}
