import { type Fill, TidemarkError, type Window, type WindowFunction, type WindowTag } from '@tidemark/core';
import { MAX_WINDOWS, type Windows } from './engine.ts';
import { compareGroups } from './order.ts';
import { type WindowSpan, windowStarts } from './zone.ts';

interface FillInput {
  /** Windows that hold points, ordered by metric, `by` tags and time: those of one metric and set of tags together. */
  groups: readonly Windows[];
  /** Where the windows asked for lie, as `windowSpans` gives them. */
  spans: readonly WindowSpan[];
  fill: Fill;
  functions: readonly WindowFunction[];
}

type Values = Window['values'];

/**
 * The windows of all groups in that order, with those that hold no point, for each metric and set of `by` tags that has
 * any; they are made as they are asked for.
 * As InfluxQL does: `null` gives null, and 0 for count and distinct; `previous` repeats the window before and
 * is null before the first; `linear` draws a line between two windows that hold points and is null outside
 * them; a number stands for every function. Counts are whole numbers, cut towards zero. A null in a window
 * that holds points (the stddev of one point) stays null, whatever the fill.
 * Throws `bad_request` for more than MAX_WINDOWS rows.
 */
export function fillWindows({ groups, spans, fill, functions }: FillInput): Windows {
  if (fill === 'none') return checked(new WindowsOfGroups(groups));
  const starts = windowStarts(spans);
  return checked(
    new WindowsOfGroups(
      groups.map((group) => ({
        length: starts.length,
        [Symbol.iterator]: () => filledGroup(group, starts, fill, functions),
      })),
    ),
  );
}

/** Windows in order, cut where the metric or a `by` tag changes. */
export function groupWindows(windows: readonly Window[], by: readonly WindowTag[]): Window[][] {
  const groups: Window[][] = [];
  for (const window of windows) {
    const group = groups.at(-1);
    if (group !== undefined && compareGroups(group[0]!, window, by) === 0) group.push(window);
    else groups.push([window]);
  }
  return groups;
}

class WindowsOfGroups implements Windows {
  readonly length: number;
  readonly #groups: readonly Windows[];

  constructor(groups: readonly Windows[]) {
    this.length = groups.reduce((sum, { length }) => sum + length, 0);
    this.#groups = groups;
  }

  *[Symbol.iterator](): Generator<Window> {
    for (const group of this.#groups) yield* group;
  }
}

function checked(windows: Windows): Windows {
  if (windows.length <= MAX_WINDOWS) return windows;
  const message = `the answer would hold ${windows.length} windows, at most ${MAX_WINDOWS} are possible`;
  throw new TidemarkError('bad_request', message, {
    issues: [{ path: 'every', message: 'too many windows' }],
  });
}

function* filledGroup(
  group: Windows,
  starts: readonly bigint[],
  fill: Exclude<Fill, 'none'>,
  functions: readonly WindowFunction[],
): Generator<Window> {
  // One for all, since there may be a million.
  const same = fill === 'previous' || fill === 'linear' ? undefined : constants(fill, functions);
  const windows = group[Symbol.iterator]();
  let before: Window | undefined;
  let after: Window | undefined = windows.next().value;
  const own = after!;
  for (const timeNs of starts) {
    if (after?.timeNs === timeNs) {
      yield after;
      before = after;
      after = windows.next().value;
      continue;
    }
    const gap = { before, after, timeNs, functions };
    const values = same ?? (fill === 'linear' ? lineValues(gap) : previousValues(gap));
    yield { ...own, timeNs, values };
  }
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
