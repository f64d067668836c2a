import { type Expression, formatExpression } from '@tidemark/influxql';
import { compareText } from '../../order.ts';
import type { TagSet } from '../series.ts';
import { tagOf } from './catalog.ts';
import { decide } from './conditions.ts';
import type { PlanContext } from './context.ts';
import type { FeedQuery } from './feed.ts';
import type { Frame } from './frame.ts';
import type { Groups } from './relation.ts';

/** A tag set that takes part, with its place in the answer and what is left of the condition. */
export interface Member {
  tagSet: TagSet;
  group: number;
  /** Position among the different conditions; undefined where every point passes. */
  condition: number | undefined;
}

/** The tag sets of measurements that take part, and the different conditions that are left for their points. */
export function selectMembers(
  measurements: readonly string[],
  { filter, frame }: FeedQuery,
  groups: Groups,
  context: PlanContext,
): { members: Member[]; conditions: Expression[] } {
  const conditions: Expression[] = [];
  const known = new Map<string, number>();
  const members: Member[] = [];
  for (const measurement of measurements) {
    const passing: { tagSet: TagSet; condition: number | undefined }[] = [];
    for (const tagSet of context.catalog.tagSets(measurement, filter)) {
      const verdict = filter === undefined ? true : decide(filter, tagSet, context.regexes);
      if (verdict === false) continue;
      let condition: number | undefined;
      if (verdict !== true) {
        const key = formatExpression(verdict);
        condition = known.get(key) ?? conditions.length;
        if (condition === conditions.length) conditions.push(verdict);
        known.set(key, condition);
      }
      passing.push({ tagSet, condition });
    }
    for (const { tagSet, condition } of limitSeries(passing, frame)) {
      const group = groups.positionOf(measurement, (key) => tagOf(tagSet, key));
      members.push({ tagSet, group, condition });
    }
  }
  return { members, conditions };
}

/** SLIMIT and SOFFSET: series of the answer, counted in a measurement's order of the tags that there are, then their values. */
function limitSeries<T extends { tagSet: TagSet }>(
  passing: readonly T[],
  { seriesLimit, seriesOffset, groupBy }: Frame,
): readonly T[] {
  if (seriesLimit === 0 && seriesOffset === 0) return passing;
  const sorted = [...groupBy].sort(compareText);
  const keyOf = ({ tagSet }: T): string => {
    const present = sorted.filter((key) => tagOf(tagSet, key) !== '');
    return [...present, ...present.map((key) => tagOf(tagSet, key))].join('|');
  };
  const keys = [...new Set(passing.map(keyOf))].sort(compareText);
  const end = seriesLimit === 0 ? keys.length : seriesOffset + seriesLimit;
  const kept = new Set(keys.slice(seriesOffset, end));
  return passing.filter((item) => kept.has(keyOf(item)));
}
