import type { FieldType } from '@tidemark/core';
import type { WindowSpan } from '../../zone.ts';
import { columnsOf, type Part, partOfSeries } from '../parts.ts';
import { quote } from '../schema.ts';
import type { Series } from '../series.ts';
import { buildSource, storableRange, wantedSeries } from '../source.ts';
import { summedPartitions } from '../sums.ts';
import type { PlanContext } from './context.ts';
import type { Frame } from './frame.ts';
import { startOfAll, utcWindowOf, withWindow } from './window.ts';

/**
 * SQL for the parts of each series in each window, (series, w, parts), in which partitions that lie in one window as a whole
 * are not read, but what is known of their sums; undefined where there are none. `w` is the start of the window.
 */
export function summedSql(
  parts: readonly Part[],
  { type, wanted }: { type: FieldType; wanted: readonly Series[] },
  frame: Frame,
  context: PlanContext,
): string | undefined {
  const { layout, index, bindings } = context;
  if (frame.interval !== undefined && frame.timeZone !== undefined) return undefined;
  const range = { fromNs: frame.startNs, toNs: frame.endNs + 1n };
  const summed = summedPartitions(layout.of(type), {
    ...storableRange(range),
    spans: [spanOf(frame, context)],
  });
  if (summed.size === 0) return undefined;
  const query = { type, wanted, ...range, except: summed, prefix: bindings.prefix() };
  const ids = wantedSeries(index, query);
  bindings.merge(ids.parameters);
  const names = parts.map((part) => `"${part}"`).join(', ');
  const rows = [...summed].map(([{ sums }, startNs]) => {
    const start = frame.interval === undefined ? startOfAll(frame, context) : bindings.integer(startNs);
    return `SELECT series, ${start} AS w, ${names} FROM ${quote(sums!.name)} WHERE TRUE${ids.condition}`;
  });
  const rest = buildSource(layout, index, query);
  if (rest !== undefined) {
    bindings.merge(rest.parameters);
    const points = `SELECT series, time AS t, value FROM ${rest.sql}`;
    rows.push(`SELECT series, w, ${columnsOf(parts, partOfSeries)}
      FROM (${withWindow(points, frame, context)}) GROUP BY series, w`);
  }
  return rows.join(' UNION ALL ');
}

/** The windows of a frame, as far as there may be points. */
function spanOf(frame: Frame, { extent }: PlanContext): WindowSpan {
  const { startNs, endNs, interval } = frame;
  if (interval === undefined) return { startNs, endNs: endNs + 1n, everyNs: endNs - startNs + 1n };
  const { everyNs } = interval;
  const firstNs = utcWindowOf(startNs > extent.firstNs ? startNs : extent.firstNs, frame);
  const lastNs = utcWindowOf(endNs < extent.lastNs ? endNs : extent.lastNs, frame);
  return { startNs: firstNs, endNs: lastNs + everyNs, everyNs };
}
