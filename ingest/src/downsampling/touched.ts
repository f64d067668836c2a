import { type PointColumns, READINGS } from '@tidemark/core';
import type { Ranges } from './ranges.ts';

/** Minutes whose windows are to be summed up, for windows of one width. */
export interface Dirty {
  readonly minutes: number;
  readonly ranges: Ranges;
  isChanged: boolean;
}

const NS_PER_MINUTE = 60e9;
/** What a time may be off by as a double. */
const ROUNDING_NS = 512;

/**
 * Adds the minutes that the readings of a batch are in, widened to whole windows of each width, and marks the widths
 * that got any.
 */
export function addTouched(points: PointColumns, dirty: readonly Dirty[]): void {
  let knownStartNs = 0;
  let knownEndNs = 0;
  for (let index = 0; index < points.length; index++) {
    const timeNs = points.times.nsAt(index);
    if (timeNs > knownStartNs && timeNs < knownEndNs) continue;
    if (points.measurementOf(index) !== READINGS) continue;
    const first = Math.floor((timeNs - ROUNDING_NS) / NS_PER_MINUTE);
    const last = Math.floor((timeNs + ROUNDING_NS) / NS_PER_MINUTE);
    for (const rule of dirty) {
      const { minutes } = rule;
      const start = Math.floor(first / minutes) * minutes;
      const end = (Math.floor(last / minutes) + 1) * minutes;
      if (rule.ranges.has([start, end])) continue;
      rule.ranges.add([start, end]);
      rule.isChanged = true;
    }
    knownStartNs = first * NS_PER_MINUTE + ROUNDING_NS;
    knownEndNs = (last + 1) * NS_PER_MINUTE - ROUNDING_NS;
  }
}
