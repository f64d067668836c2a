import { floorDivide } from '@tidemark/core';
import { MIN_TIME_NS } from '@tidemark/influxql';
import { type WindowSpan, windowSpans, windowStarts } from '../../zone.ts';
import type { Bindings } from './bindings.ts';
import type { Frame } from './frame.ts';

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
  if (interval === undefined) {
    // The least time stands for none, and is told as 1970.
    const start = frame.startNs === MIN_TIME_NS ? 0n : frame.startNs;
    return `SELECT *, ${bindings.integer(start)} AS w FROM (${sql})`;
  }
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
