import type { Answer, PlainSeries } from './pair.ts';

/** How far floats may be apart, of their size or of 1. */
const TOLERANCE = 1e-9;

/** The first difference between two answers; undefined when they are the same. */
export function difference(influxd: Answer, tidemark: Answer): string | undefined {
  if ('error' in influxd || 'error' in tidemark) {
    const [theirs, ours] = [influxd, tidemark].map((answer) =>
      'error' in answer ? answer.error : 'an answer',
    );
    return theirs === ours ? undefined : `InfluxDB: ${theirs}; Tidemark: ${ours}`;
  }
  const [theirs, ours] = [influxd.series, tidemark.series];
  if (theirs.length !== ours.length) return `${theirs.length} series, but ${ours.length} from Tidemark`;
  for (const [index, series] of theirs.entries()) {
    const found = seriesDifference(series, ours[index]!);
    if (found !== undefined) return `series ${index}: ${found}`;
  }
  return undefined;
}

function seriesDifference(theirs: PlainSeries, ours: PlainSeries): string | undefined {
  const headOf = ({ name, tags, columns }: PlainSeries): string =>
    JSON.stringify([name, Object.entries(tags).sort(), columns]);
  if (headOf(theirs) !== headOf(ours)) return `${headOf(theirs)}, but ${headOf(ours)} from Tidemark`;
  if (theirs.values.length !== ours.values.length) {
    return `${theirs.values.length} rows, but ${ours.values.length} from Tidemark`;
  }
  const [left, right] = [settle(theirs.values), settle(ours.values)];
  for (const [index, row] of left.entries()) {
    const other = right[index]!;
    if (!row.every((value, column) => isSame(value, other[column]))) {
      return `row ${index}: ${row.map(String).join(', ')}, but ${other.map(String).join(', ')} from Tidemark`;
    }
  }
  return undefined;
}

/** Rows of one time come in an order that follows from nothing that is asked: by their text instead. */
function settle(rows: readonly unknown[][]): unknown[][] {
  const settled: unknown[][] = [];
  for (let start = 0; start < rows.length; ) {
    let end = start + 1;
    while (end < rows.length && isSame(rows[end]![0], rows[start]![0])) end += 1;
    settled.push(...rows.slice(start, end).sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1)));
    start = end;
  }
  return settled;
}

function keyOf(row: readonly unknown[]): string {
  return row.map((value) => (typeof value === 'number' ? value.toPrecision(8) : String(value))).join('|');
}

function isSame(a: unknown, b: unknown): boolean {
  const isNumber = (value: unknown): boolean => typeof value === 'number' || typeof value === 'bigint';
  if (!isNumber(a) || !isNumber(b)) return a === b;
  if (typeof a === 'bigint' && typeof b === 'bigint') return a === b;
  const [x, y] = [Number(a), Number(b)];
  return Math.abs(x - y) <= TOLERANCE * Math.max(1, Math.abs(x), Math.abs(y));
}
