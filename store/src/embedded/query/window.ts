import { floorDivide } from '@tidemark/core';
import { MIN_TIME_NS } from '@tidemark/influxql';
import { type WindowSpan, windowSpans, windowStarts } from '../../zone.ts';
import { partitionsIn, rowsOf, tablesIn } from '../layout.ts';
import type { Bindings } from './bindings.ts';
import type { PlanContext } from './context.ts';
import type { Frame } from './frame.ts';
import type { Shortcuts } from './relation.ts';

/** With fewer, to add up each series by itself first is more work than to join each point with its group. */
const MIN_POINTS_IN_WINDOW = 8;

/** Lists of 500 000 values take some 10 MiB; of series that have many more points than the others, some 100 MiB. */
const FEW_POINTS = 500_000;

/** Where the data begins and ends; the clocks' changes are looked up between, and windows counted. */
export interface Extent {
  firstNs: bigint;
  lastNs: bigint;
}

/** The rows of a relation with `w`, the start of the window of `t`. */
export function withWindow(
  sql: string,
  frame: Frame,
  context: { readonly extent: Extent; bindings: Bindings },
): string {
  const { bindings } = context;
  const { interval } = frame;
  if (interval === undefined) return `SELECT *, ${startOfAll(frame, context)} AS w FROM (${sql})`;
  if (frame.timeZone === undefined) {
    const every = bindings.integer(interval.everyNs);
    const past = `((t - ${bindings.integer(interval.offsetNs)}) % ${every} + ${every}) % ${every}`;
    return `SELECT *, t - ${past} AS w FROM (${sql})`;
  }
  const { extent } = context;
  const firstNs = largest(frame.startNs, extent.firstNs);
  const lastNs = smallest(frame.endNs, extent.lastNs);
  const spans = spansOf(frame, firstNs, largest(firstNs, lastNs));
  return `SELECT *, ${startSql(spans, bindings)} AS w FROM (${sql})`;
}

/** The time of what stands for all points of a frame without windows. */
export function startOfAll({ startNs }: Frame, { bindings }: { bindings: Bindings }): string {
  // The least time stands for none, and is told as 1970.
  return bindings.integer(startNs === MIN_TIME_NS ? 0n : startNs);
}

/**
 * The rows of a relation with `w`, which stands for the window of `t`, and SQL for the start of that window. Over many
 * points a number of the window costs half of what its start does.
 */
export function numberedWindows(
  sql: string,
  shortcuts: Shortcuts | undefined,
  frame: Frame,
  context: { readonly extent: Extent; bindings: Bindings },
): { sql: string; start: string } {
  const { interval, timeZone } = frame;
  const sinceNs = shortcuts?.sinceNs;
  if (interval === undefined || timeZone !== undefined || sinceNs === undefined) {
    return { sql: withWindow(sql, frame, context), start: 'w' };
  }
  const first = context.bindings.integer(utcWindowOf(sinceNs, frame));
  const every = context.bindings.integer(interval.everyNs);
  return { sql: `SELECT *, (t - ${first}) // ${every} AS w FROM (${sql})`, start: `${first} + w * ${every}` };
}

/** True when the windows of a series hold several points each, as far as the tables' sizes tell. */
export function isDense(frame: Frame, context: PlanContext): boolean {
  const { startNs, endNs, interval } = frame;
  const { index, extent } = context;
  if (interval === undefined) return true;
  const spanNs = smallest(endNs, extent.lastNs) - largest(startNs, extent.firstNs);
  const windows = Number(spanNs / interval.everyNs) + 1;
  return rowsIn(frame, context) > MIN_POINTS_IN_WINDOW * windows * index.size;
}

/** True when the points of so many series are few enough to be in memory at once, as far as the tables' sizes tell. */
export function isFew(series: number, frame: Frame, context: PlanContext): boolean {
  return (rowsIn(frame, context) * series) / context.index.size <= FEW_POINTS;
}

/** Rows of the tables that have any of the frame. */
function rowsIn({ startNs, endNs }: Frame, { layout }: PlanContext): number {
  let rows = 0;
  for (const { hot, late, partitions } of layout.types.values()) {
    rows += rowsOf([
      ...tablesIn([...hot, ...late], startNs, endNs),
      ...partitionsIn(partitions, startNs, endNs),
    ]);
  }
  return rows;
}

/** Starts of the windows from the one that holds the first time to the one that holds the last. */
export function startsOf(frame: Frame, firstNs: bigint, lastNs: bigint): bigint[] {
  return windowStarts(spansOf(frame, firstNs, largest(firstNs, lastNs)));
}

/** Start of the window of a time, in UTC. */
export function utcWindowOf(timeNs: bigint, { interval }: Frame): bigint {
  const { everyNs, offsetNs } = interval!;
  return floorDivide(timeNs - offsetNs, everyNs) * everyNs + offsetNs;
}

function spansOf({ interval, timeZone }: Frame, firstNs: bigint, lastNs: bigint): WindowSpan[] {
  const { everyNs, offsetNs } = interval!;
  return windowSpans({ fromNs: firstNs, toNs: lastNs + 1n, everyNs, timeZone, shiftNs: offsetNs });
}

function startSql(spans: readonly WindowSpan[], bindings: Bindings): string {
  const branches = spans.map(({ startNs, endNs, everyNs }, index) => {
    const start = bindings.integer(startNs);
    const every = bindings.integer(everyNs);
    const sql = `${start} + (t - ${start}) // ${every} * ${every}`;
    const isLast = index === spans.length - 1;
    return isLast ? `ELSE ${sql}` : `WHEN t < ${bindings.integer(endNs)} THEN ${sql}`;
  });
  return spans.length === 1 ? `(${branches[0]!.slice('ELSE '.length)})` : `CASE ${branches.join(' ')} END`;
}

function largest(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

function smallest(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
