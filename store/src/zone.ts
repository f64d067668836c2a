import { floorDivide, NS_PER_DAY, NS_PER_SECOND, TidemarkError, zoneOffsets } from '@tidemark/core';
import { MAX_WINDOWS } from './engine.ts';

/** A stretch of time in which a zone's offset from UTC does not change. */
export interface OffsetSegment {
  /** Inclusive. */
  fromNs: bigint;
  /** Exclusive. */
  toNs: bigint;
  /** Local time minus UTC. */
  offsetNs: bigint;
}

/**
 * A run of windows of one length, one after another: the window of a time t in [startNs, endNs) starts at
 * startNs + floor((t − startNs) / everyNs) × everyNs.
 */
export interface WindowSpan {
  /** Start of the first window. */
  startNs: bigint;
  /** End of the last window, exclusive. */
  endNs: bigint;
  /** Length of each window; not the one asked for where a change of the clocks cuts through a window. */
  everyNs: bigint;
}

interface WindowRange {
  /** Inclusive. */
  fromNs: bigint;
  /** Exclusive. */
  toNs: bigint;
  /** Undefined makes one window of the whole range. */
  everyNs: bigint | undefined;
  /** IANA name; undefined means UTC. */
  timeZone: string | undefined;
  /** How long after midnight windows begin; none where it is missing. */
  shiftNs?: bigint;
}

/** The part of a `WindowRange` that says how windows lie, not which of them are wanted. */
interface Grid {
  everyNs: bigint;
}

/** No clock was changed and changed back within a week. */
const probeStepNs = 7n * NS_PER_DAY;
const maxTimeNs = 2n ** 63n - 1n;
/** A century: keeps every window start within 64 bits. */
const maxEveryNs = 36_525n * NS_PER_DAY;

/**
 * Where the windows of a range lie, as contiguous runs in order, the first holding `fromNs` and the last
 * ending at or after `toNs`; none for an empty range. Windows are wall-clock time truncated to `everyNs`, as InfluxQL's tz()
 * has it: a day has 23 or 25 hours when the clocks change. When they go back by less than `everyNs`, the
 * window they cut goes on until its label has passed for the second time; otherwise windows are cut at the
 * change, so that a repeated hour has windows of its own.
 * Throws `bad_request` for an unknown zone, and for more than MAX_WINDOWS windows.
 */
export function windowSpans({ fromNs, toNs, everyNs, timeZone, shiftNs = 0n }: WindowRange): WindowSpan[] {
  if (everyNs === undefined) {
    return fromNs < toNs ? [{ startNs: fromNs, endNs: toNs, everyNs: toNs - fromNs }] : [];
  }
  if (everyNs <= 0n || everyNs > maxEveryNs) {
    throw new TidemarkError('bad_request', 'a window must be longer than zero and at most 100 years', {
      issues: [{ path: 'every', message: 'out of range' }],
    });
  }
  if (fromNs >= toNs) return [];
  const { earlierNs, laterNs } = surroundings(fromNs, toNs, everyNs);
  const segments = offsetSegments({ fromNs: earlierNs, toNs: laterNs, timeZone }).map((segment) => ({
    ...segment,
    offsetNs: segment.offsetNs - shiftNs,
  }));
  const spans = trim(layOut(segments, { everyNs }), fromNs, toNs);
  const windows = countWindows(spans);
  if (windows > BigInt(MAX_WINDOWS)) {
    const message = `${windows} windows were asked for, at most ${MAX_WINDOWS} are possible: ask for longer ones, or for less time`;
    throw new TidemarkError('bad_request', message, {
      issues: [{ path: 'every', message: 'too many windows' }],
    });
  }
  return spans;
}

/** Starts of all windows, in order. */
export function windowStarts(spans: readonly WindowSpan[]): bigint[] {
  const starts: bigint[] = [];
  for (const { startNs, endNs, everyNs } of spans) {
    for (let timeNs = startNs; timeNs < endNs; timeNs += everyNs) starts.push(timeNs);
  }
  return starts;
}

/**
 * The offsets of a zone over a range, in order and without gaps. Throws `bad_request` for an unknown zone.
 */
export function offsetSegments({ fromNs, toNs, timeZone }: Omit<WindowRange, 'everyNs'>): OffsetSegment[] {
  if (timeZone === undefined || timeZone === 'UTC') return [{ fromNs, toNs, offsetNs: 0n }];
  const offsetAt = zoneOffsets(timeZone);
  const segments: OffsetSegment[] = [];
  let open = { fromNs, offsetNs: offsetAt(fromNs) };
  for (let probedNs = fromNs; probedNs < toNs; ) {
    const nextNs = probedNs + probeStepNs < toNs ? probedNs + probeStepNs : toNs;
    if (offsetAt(nextNs) !== open.offsetNs) {
      const changeNs = findChange(offsetAt, probedNs, nextNs);
      segments.push({ ...open, toNs: changeNs });
      open = { fromNs: changeNs, offsetNs: offsetAt(changeNs) };
      probedNs = changeNs;
    } else {
      probedNs = nextNs;
    }
  }
  segments.push({ ...open, toNs });
  return segments.filter((segment) => segment.fromNs < segment.toNs);
}

function countWindows(spans: readonly WindowSpan[]): bigint {
  return spans.reduce((sum, { startNs, endNs, everyNs }) => sum + (endNs - startNs) / everyNs, 0n);
}

/**
 * What has to be known besides the range: the window that holds `fromNs`, the one before it (whose end may
 * be moved by a change of the clocks), and the last one's end. Nothing is stored before 1970 or after 2262.
 */
function surroundings(fromNs: bigint, toNs: bigint, everyNs: bigint): { earlierNs: bigint; laterNs: bigint } {
  const earliestNs = (fromNs < 0n ? fromNs : 0n) - 400n * NS_PER_DAY;
  const earlierNs = fromNs - 2n * everyNs - 2n * NS_PER_DAY;
  const laterNs = toNs + everyNs + 2n * NS_PER_DAY;
  return {
    earlierNs: earlierNs > earliestNs ? earlierNs : earliestNs,
    laterNs: laterNs < maxTimeNs ? laterNs : toNs > maxTimeNs ? toNs : maxTimeNs,
  };
}

/** Lays windows over the segments. A label is a window's start in local time. */
function layOut(segments: readonly OffsetSegment[], { everyNs }: Grid): WindowSpan[] {
  const spans: WindowSpan[] = [];
  const first = segments[0]!;
  let label = floorTo(first.fromNs + first.offsetNs, everyNs);
  let startNs = label - first.offsetNs;
  segments.forEach(({ toNs, offsetNs }, index) => {
    const lastLabel = floorTo(toNs - 1n + offsetNs, everyNs);
    if (lastLabel > label) {
      const endNs = label + everyNs - offsetNs;
      push(spans, { startNs, endNs, everyNs: endNs - startNs });
      push(spans, { startNs: endNs, endNs: lastLabel - offsetNs, everyNs });
      label = lastLabel;
      startNs = lastLabel - offsetNs;
    }
    const next = segments[index + 1];
    if (next === undefined) {
      const endNs = label + everyNs - offsetNs;
      push(spans, { startNs, endNs, everyNs: endNs - startNs });
      return;
    }
    const nextLabel = floorTo(toNs + next.offsetNs, everyNs);
    const backNs = offsetNs - next.offsetNs;
    const goesOn = backNs > 0n ? backNs < everyNs : nextLabel === label;
    if (!goesOn) {
      push(spans, { startNs, endNs: toNs, everyNs: toNs - startNs });
      label = nextLabel;
      startNs = toNs;
    }
  });
  return spans;
}

function push(spans: WindowSpan[], span: WindowSpan): void {
  if (span.startNs >= span.endNs) return;
  const last = spans.at(-1);
  if (last?.everyNs === span.everyNs) last.endNs = span.endNs;
  else spans.push(span);
}

function trim(spans: readonly WindowSpan[], fromNs: bigint, toNs: bigint): WindowSpan[] {
  const trimmed: WindowSpan[] = [];
  for (const { startNs, endNs, everyNs } of spans) {
    if (endNs <= fromNs || startNs >= toNs) continue;
    const before = startNs < fromNs ? (fromNs - startNs) / everyNs : 0n;
    const after = endNs > toNs ? (endNs - toNs) / everyNs : 0n;
    trimmed.push({ startNs: startNs + before * everyNs, endNs: endNs - after * everyNs, everyNs });
  }
  return trimmed;
}

function floorTo(value: bigint, step: bigint): bigint {
  return floorDivide(value, step) * step;
}

/** The first instant after `beforeNs` with another offset, to the second: zone rules have no finer steps. */
function findChange(offsetAt: (timeNs: bigint) => bigint, beforeNs: bigint, afterNs: bigint): bigint {
  const offsetNs = offsetAt(beforeNs);
  let low = floorDivide(beforeNs, NS_PER_SECOND);
  let high = floorDivide(afterNs + NS_PER_SECOND - 1n, NS_PER_SECOND);
  while (high - low > 1n) {
    const middle = (low + high) / 2n;
    if (offsetAt(middle * NS_PER_SECOND) === offsetNs) low = middle;
    else high = middle;
  }
  return high * NS_PER_SECOND;
}
