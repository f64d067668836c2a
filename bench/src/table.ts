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
