import { type FieldValue, Uint64 } from '@tidemark/core';
import type { QueryRows } from '../../engine.ts';
import { compareText } from '../../order.ts';
import type { Series } from '../series.ts';
import { driverOf, isPlain } from './calls.ts';
import type { PlanContext } from './context.ts';
import { isCastable } from './expression.ts';
import { typeOfReference } from './feed.ts';
import type { Frame } from './frame.ts';
import { selectMembers } from './members.ts';
import type { Group, Groups } from './relation.ts';
import type { ResolvedSelect } from './resolve.ts';

/**
 * The answer of `last` of a field and nothing else, by group, from the newest points of series, which
 * are in memory; undefined for another question, and where a newest point does not tell: it is behind the end, or of a type
 * that it is cast from, or only some points count.
 */
export function newestOfGroups(
  select: ResolvedSelect,
  frame: Frame,
  groups: Groups,
  context: PlanContext,
): { group: Group; rows: QueryRows }[] | undefined {
  const { fields, sources, interval, limit, offset, filter } = select;
  const [call] = fields.map(({ expression }) => expression);
  if (fields.length !== 1 || call?.kind !== 'call' || call.name !== 'last' || !isPlain(call))
    return undefined;
  if (interval !== undefined || limit !== 0 || offset !== 0) return undefined;
  const measurements = sources.flatMap((source) => (source.kind === 'measurement' ? [source.name] : []));
  if (measurements.length < sources.length) return undefined;
  const field = driverOf(call);
  const type = typeOfReference(field);
  const query = { driver: field, beside: [], filter, frame };
  const { members, conditions } = selectMembers(measurements, query, groups, context);
  if (conditions.length > 0) return undefined;
  const newest = new Map<number, Series>();
  for (const { tagSet, group } of members) {
    const series = tagSet.series.get(field.name);
    if (series === undefined || !isCastable(series.type, type)) continue;
    if (series.type !== type || series.lastTimeNs > frame.endNs) return undefined;
    if (series.lastTimeNs < frame.startNs) continue;
    const other = newest.get(group);
    if (other === undefined || isLater(series, other)) newest.set(group, series);
  }
  return [...newest].map(([position, { lastTimeNs, lastValue }]) => ({
    group: groups.list[position]!,
    rows: [[lastTimeNs, lastValue instanceof Uint64 ? lastValue.value : lastValue]],
  }));
}

/** Of several points at one time the greatest counts. */
function isLater(a: Series, b: Series): boolean {
  if (a.lastTimeNs !== b.lastTimeNs) return a.lastTimeNs > b.lastTimeNs;
  return compareValues(a.lastValue, b.lastValue) > 0;
}

function compareValues(a: FieldValue, b: FieldValue): number {
  if (typeof a === 'string' && typeof b === 'string') return compareText(a, b);
  const [one, other] = [a, b].map((value) => (value instanceof Uint64 ? value.value : value));
  return one! > other! ? 1 : -1;
}
