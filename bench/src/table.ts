/** One line of a benchmark's table. */
export interface Row {
  what: string;
  figure: string;
  note: string;
}

/** The rows as a Markdown table. */
export function toTable(rows: readonly Row[]): string {
  const lines = rows.map(({ what, figure, note }) => `| ${what} | ${figure} | ${note} |`);
  return ['| what | figure | |', '|---|---|---|', ...lines].join('\n');
}

/** The one in the middle; of an even number the upper of the two. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** The value that so much of them is no greater than; `q` from 0 to 1. */
export function quantile(values: readonly number[], q: number): number {
  return values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * q))]!;
}
