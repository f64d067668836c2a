import type { FillOption, Interval } from '@tidemark/influxql';
import { MAX_TIME_NS, MIN_TIME_NS } from '@tidemark/influxql';
import type { ResolvedSelect } from './resolve.ts';

/** What the points of one select are gathered by. */
export interface Frame {
  /** Both inclusive; MIN_TIME_NS and MAX_TIME_NS where there is no limit. */
  startNs: bigint;
  endNs: bigint;
  interval: Interval | undefined;
  timeZone: string | undefined;
  /** Tags that tell points apart, those of outer selects included. */
  groupBy: readonly string[];
  isDescending: boolean;
  fill: FillOption;
  limit: number;
  offset: number;
  seriesLimit: number;
  seriesOffset: number;
}

/** The frame of a statement. Windows without an end go up to now. */
export function outerFrame(select: ResolvedSelect, nowNs: bigint): Frame {
  const { minNs, maxNs } = select.range;
  return {
    startNs: minNs ?? MIN_TIME_NS,
    endNs: maxNs ?? (select.interval === undefined ? MAX_TIME_NS : nowNs),
    interval: select.interval,
    timeZone: select.timeZone,
    groupBy: select.dimensions,
    isDescending: select.order === 'desc',
    fill: select.fill,
    limit: select.limit,
    offset: select.offset,
    seriesLimit: select.seriesLimit,
    seriesOffset: select.seriesOffset,
  };
}

/** The frame of a subquery within that of the select around it. */
export function innerFrame(select: ResolvedSelect, outer: Frame, nowNs: bigint): Frame {
  const own = outerFrame(select, nowNs);
  const { minNs, maxNs } = select.range;
  const startNs = minNs !== undefined && minNs > outer.startNs ? minNs : outer.startNs;
  let endNs = maxNs !== undefined && maxNs < outer.endNs ? maxNs : outer.endNs;
  if (select.interval !== undefined && endNs === MAX_TIME_NS) endNs = nowNs;
  return {
    ...own,
    startNs,
    endNs,
    interval: select.interval ?? outer.interval,
    groupBy: [...new Set([...select.dimensions, ...outer.groupBy])],
    isDescending: outer.isDescending,
    // Empty windows would count for nothing outside.
    fill: !select.isRaw && select.fill.kind === 'null' ? { kind: 'none' } : select.fill,
    seriesLimit: select.seriesLimit + outer.seriesLimit,
    seriesOffset: select.seriesOffset + outer.seriesOffset,
  };
}

/** `ORDER BY` of points of one group. */
export function directionOf({ isDescending }: Frame): 'ASC' | 'DESC' {
  return isDescending ? 'DESC' : 'ASC';
}

/** A frame that reaches further to where its points begin, by a window. */
export function extended(frame: Frame): Frame {
  if (frame.interval === undefined) return frame;
  const moreNs = frame.interval.everyNs;
  if (frame.isDescending) {
    return frame.endNs === MAX_TIME_NS ? frame : { ...frame, endNs: clamp(frame.endNs + moreNs) };
  }
  return frame.startNs === MIN_TIME_NS ? frame : { ...frame, startNs: clamp(frame.startNs - moreNs) };
}

function clamp(timeNs: bigint): bigint {
  if (timeNs < MIN_TIME_NS) return MIN_TIME_NS;
  return timeNs > MAX_TIME_NS ? MAX_TIME_NS : timeNs;
}
