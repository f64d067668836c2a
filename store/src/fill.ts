import { type Fill, TidemarkError, type Window, type WindowFunction, type WindowTag } from '@tidemark/core';
import { MAX_WINDOWS } from './engine.ts';
import { compareGroups } from './order.ts';
import { type WindowSpan, windowStarts } from './zone.ts';

interface FillInput {
  /** Windows that hold points, ordered by metric, `by` tags and time. */
  windows: readonly Window[];
  /** Where the windows asked for lie, as `windowSpans` gives them. */
  spans: readonly WindowSpan[];
  fill: Fill;
  functions: readonly WindowFunction[];
  by: readonly WindowTag[];
}

type Values = Window['values'];

/**
 * Adds the windows that hold no point, for each metric and set of `by` tags that has any, in the same order.
 * As InfluxQL does: `null` gives null, and 0 for count and distinct; `previous` repeats the window before and
 * is null before the first; `linear` draws a line between two windows that hold points and is null outside
 * them; a number stands for every function. Counts are whole numbers, cut towards zero. A null in a window
 * that holds points (the stddev of one point) stays null, whatever the fill.
 * Throws `bad_request` for more than MAX_WINDOWS rows.
 */
export function fillWindows({ windows, spans, fill, functions, by }: FillInput): Window[] {
  if (fill === 'none') return checkRows(windows.length, () => [...windows]);
  const groups = groupWindows(windows, by);
  const starts = windowStarts(spans);
  return checkRows(starts.length * groups.length, () =>
    groups.flatMap((group) => fillGroup(group, starts, fill, functions)),
  );
}

function checkRows(rows: number, answer: () => Window[]): Window[] {
  if (rows <= MAX_WINDOWS) return answer();
  const message = `the answer would hold ${rows} windows, at most ${MAX_WINDOWS} are possible`;
  throw new TidemarkError('bad_request', message, {
    issues: [{ path: 'every', message: 'too many windows' }],
  });
}

function groupWindows(windows: readonly Window[], by: readonly WindowTag[]): Window[][] {
  const groups: Window[][] = [];
  for (const window of windows) {
    const group = groups.at(-1);
    if (group !== undefined && compareGroups(group[0]!, window, by) === 0) group.push(window);
    else groups.push([window]);
  }
  return groups;
}

function fillGroup(
  group: readonly Window[],
  starts: readonly bigint[],
  fill: Exclude<Fill, 'none'>,
  functions: readonly WindowFunction[],
): Window[] {
  const filled: Window[] = [];
  // One for all, since there may be a million.
  const same = fill === 'previous' || fill === 'linear' ? undefined : constants(fill, functions);
  let next = 0;
  for (const timeNs of starts) {
    const present = group[next];
    if (present?.timeNs === timeNs) {
      filled.push(present);
      next += 1;
      continue;
    }
    const gap = { before: group[next - 1], after: present, timeNs, functions };
    const values = same ?? (fill === 'linear' ? lineValues(gap) : previousValues(gap));
    filled.push({ ...group[0]!, timeNs, values });
  }
  return filled;
}

interface Gap {
  before: Window | undefined;
  after: Window | undefined;
  timeNs: bigint;
  functions: readonly WindowFunction[];
}

function constants(fill: number | 'null', functions: readonly WindowFunction[]): Values {
  return new Map(
    functions.map((fn) => {
      if (fill === 'null') return [fn, isCount(fn) ? 0 : null];
      return [fn, isCount(fn) ? Math.trunc(fill) + 0 : fill];
    }),
  );
}

function previousValues({ before, functions }: Gap): Values {
  return before?.values ?? new Map(functions.map((fn) => [fn, null]));
}

function lineValues(gap: Gap): Values {
  return new Map(
    gap.functions.map((fn) => {
      const value = between(gap, fn);
      return [fn, value !== null && isCount(fn) ? Math.trunc(value) + 0 : value];
    }),
  );
}

function between({ before, after, timeNs }: Gap, fn: WindowFunction): number | null {
  const from = before?.values.get(fn) ?? null;
  const to = after?.values.get(fn) ?? null;
  if (before === undefined || after === undefined || from === null || to === null) return null;
  const share = Number(timeNs - before.timeNs) / Number(after.timeNs - before.timeNs);
  return from + (to - from) * share;
}

function isCount(fn: WindowFunction): boolean {
  return fn === 'count' || fn === 'distinct';
}
