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
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}
