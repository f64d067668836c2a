import type { ImportedRow } from '@tidemark/core';
import type { Decoded, DraftLine, Fault } from './decoded.ts';
import { pointProblem } from './lines.ts';

/** Rows of a file, which whoever took them in has read. */
export function decodeRows(rows: readonly ImportedRow[], maxFields: number): Decoded {
  const lines: DraftLine[] = [];
  const faults: Fault[] = [];
  for (const row of rows) {
    const { index } = row;
    if (!('point' in row)) {
      faults.push({ index, reason: row.reason, detail: `row ${index + 1}: ${row.detail}`, raw: row.raw });
      continue;
    }
    const problem = pointProblem(row.point, maxFields);
    if (problem === undefined) lines.push({ index, start: 0, end: 0, point: row.point });
    else faults.push({ index, reason: problem.reason, detail: `row ${index + 1}: ${problem.detail}` });
  }
  return { readings: [], lines, faults };
}
