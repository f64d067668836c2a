import type { Window, WindowFunction } from '@tidemark/core';
import type { WindowsQuery } from '../../src/engine.ts';
import { windowStartsOf } from './reference-grid.ts';

/** Adds the windows without points to those of `referenceWindows`, looking for each one's neighbours anew. */
export function referenceFill(windows: readonly Window[], query: WindowsQuery): Window[] {
  if (query.fill === 'none') return [...windows];
  const groups = Map.groupBy(windows, ({ metric, sensor, location }) =>
    JSON.stringify([metric, sensor, location]),
  );
  const starts = windowStartsOf(query);
  return [...groups.values()].flatMap((group) =>
    starts.map((timeNs) => {
      const present = group.find((window) => window.timeNs === timeNs);
      const before = group.findLast((window) => window.timeNs < timeNs);
      const after = group.find((window) => window.timeNs > timeNs);
      const value = (fn: WindowFunction) => [fn, filled({ fn, query, timeNs, before, after })] as const;
      return present ?? { ...group[0]!, timeNs, values: new Map(query.functions.map(value)) };
    }),
  );
}

interface Gap {
  fn: WindowFunction;
  query: WindowsQuery;
  timeNs: bigint;
  before: Window | undefined;
  after: Window | undefined;
}

function filled({ fn, query: { fill }, timeNs, before, after }: Gap): number | null {
  const isCount = fn === 'count' || fn === 'distinct';
  if (typeof fill === 'number') return isCount ? Math.trunc(fill) + 0 : fill;
  if (fill === 'null') return isCount ? 0 : null;
  const left = before?.values.get(fn) ?? null;
  if (fill === 'previous') return left;
  const right = after?.values.get(fn) ?? null;
  if (left === null || right === null) return null;
  const share = Number(timeNs - before!.timeNs) / Number(after!.timeNs - before!.timeNs);
  const value = left + (right - left) * share;
  return isCount ? Math.trunc(value) : value;
}
