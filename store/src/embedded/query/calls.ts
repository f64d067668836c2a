import { callType, type Expression, isSelector, isTransformation } from '@tidemark/influxql';
import { columnsOf, partOfSeries } from '../parts.ts';
import {
  type Atoms,
  aggregateSql,
  atomsOfParts,
  checkType,
  partsOfAggregates,
  plainAggregates,
} from './aggregates.ts';
import type { PlanContext } from './context.ts';
import type { Reference } from './feed.ts';
import { typeOfReference } from './feed.ts';
import { feedOf } from './feeds.ts';
import { filled } from './fill.ts';
import type { Frame } from './frame.ts';
import { integralRelation } from './integral.ts';
import type { Groups, Relation } from './relation.ts';
import { emptyRelation } from './relation.ts';
import type { ResolvedSource } from './resolve.ts';
import {
  distinctRelation,
  extremesRelation,
  percentileRelation,
  sampleRelation,
  selectorRelation,
} from './selectors.ts';
import { transformed } from './transformations.ts';
import { numberedWindows, startOfAll, withWindow } from './window.ts';

export type Call = Extract<Expression, { kind: 'call' }>;

/** Where the points of a call come from. */
export interface CallScope {
  sources: readonly ResolvedSource[];
  filter: Expression | undefined;
  frame: Frame;
  groups: Groups;
  context: PlanContext;
  /** What is asked for beside a selector. */
  beside: readonly Reference[];
  /** True when the call is the only one, and so answers points with times of their own. */
  isAlone: boolean;
}

/** The points of one call: `v0` is its value, the rest is beside it. */
export function callRelation(call: Call, scope: CallScope): Relation {
  const { name, args } = call;
  if (isTransformation(name))
    return transformed(call, scope, (inner, frame) => inputOf(inner, { ...scope, frame }));
  const isDistinct = args[0]?.kind === 'call' && args[0].name === 'distinct';
  const driver = driverOf(call);
  if (driver.cast === undefined)
    return emptyRelation([callType(name, 'unknown'), ...scope.beside.map(typeOfReference)]);
  checkType(name, typeOfReference(driver));
  // By windows, and with nothing beside it, of a selected point its value alone is told.
  const picks = isSelector(name) && scope.isAlone && !(scope.frame.interval && scope.beside.length === 0);
  if (isPlain(call) && !picks) return aggregatesRelation([call], scope);
  const feed = feedFor(driver, scope, [name]);
  switch (name) {
    case 'distinct':
      return distinctRelation(feed, scope);
    case 'sample':
      return sampleRelation(feed, numberOf(args[1]), scope);
    case 'top':
    case 'bottom':
      return extremesRelation(call, feed, scope);
    case 'integral':
      return integralRelation(feed, args[1]?.kind === 'duration' ? args[1].ns : 1_000_000_000n, scope);
    case 'percentile':
      return filled(percentileRelation(feed, numberOf(args[1]), picks, scope), [name], scope);
    default:
      if (isDistinct) return filled(countDistinct(feed, scope), [name], scope);
      return filled(selectorRelation(name, feed, scope), [name], scope);
  }
}

/** Several aggregates of the same field, in one pass over its points. */
export function aggregatesRelation(calls: readonly Call[], scope: CallScope): Relation {
  const driver = driverOf(calls[0]!);
  const names = calls.map(({ name }) => name);
  const feed = feedFor(driver, { ...scope, beside: [] }, names);
  const type = feed.types[0]!;
  const relation: Relation = {
    sql: aggregatesSql(names, feed, scope),
    types: names.map((name) => callType(name, type)),
    hasTies: false,
  };
  return filled(relation, names, scope);
}

function aggregatesSql(names: readonly string[], feed: Relation, { frame, context }: CallScope): string {
  const { types, hasTies, shortcuts } = feed;
  const columns = (atoms?: Atoms): string =>
    names.map((name, index) => `${aggregateSql(name, types[0]!, hasTies, atoms)} AS v${index}`).join(', ');
  const { bySeries, onlyGroup } = shortcuts ?? {};
  const parts = partsOfAggregates(names);
  const summed = parts && shortcuts?.summed(parts);
  if (summed !== undefined) {
    return `SELECT g, w AS t, 0::BIGINT AS o, ${columns(atomsOfParts)}
      FROM (${summed.sql}) JOIN (${summed.groups}) USING (series) GROUP BY g, w`;
  }
  if (onlyGroup !== undefined && frame.interval === undefined) {
    // Points that need no grouping are added up in half the time.
    return `SELECT ${onlyGroup} AS g, ${startOfAll(frame, context)} AS t, 0::BIGINT AS o, ${columns()}
      FROM (${feed.sql}) HAVING count(*) > 0`;
  }
  if (bySeries === undefined || parts === undefined) {
    const { sql, start } = numberedWindows(feed.sql, shortcuts, frame, context);
    const [group, by] = onlyGroup === undefined ? ['g', 'g, w'] : [`${onlyGroup} AS g`, 'w'];
    return `SELECT ${group}, ${start} AS t, 0::BIGINT AS o, ${columns()} FROM (${sql}) GROUP BY ${by}`;
  }
  // Each series by itself first: the bulk of the points needs no joining to groups.
  const { sql, start } = numberedWindows(bySeries.sql, shortcuts, frame, context);
  return `SELECT g, ${start} AS t, 0::BIGINT AS o, ${columns(atomsOfParts)}
    FROM (SELECT series, w, ${columnsOf(parts, partOfSeries)} FROM (${sql}) GROUP BY series, w)
    JOIN (${bySeries.groups}) USING (series) GROUP BY g, w`;
}

/** True for calls that `aggregatesRelation` can answer together. */
export function isPlain({ name, args }: Call): boolean {
  return plainAggregates.has(name) && args[0]?.kind === 'reference' && args[0].cast !== undefined;
}

/** The field that a call reads. */
export function driverOf({ args }: Call): Reference {
  const [first] = args;
  if (first?.kind === 'call') return driverOf(first);
  return first as Reference;
}

/** The points that functions of those names need. */
function feedFor(driver: Reference, scope: CallScope, names: readonly string[] = []): Relation {
  const { sources, filter, frame, groups, context, beside } = scope;
  const isForNewest =
    frame.interval === undefined && names.length > 0 && names.every((name) => name === 'last');
  return feedOf(sources, { driver, beside, filter, frame, isForNewest }, groups, context);
}

/** What a transformation goes over: another call's points, or a field's. */
function inputOf(inner: Expression, scope: CallScope): Relation {
  const own = { ...scope, isAlone: false, beside: [] };
  return inner.kind === 'call' ? callRelation(inner, own) : feedFor(inner as Reference, own);
}

function countDistinct(feed: Relation, { frame, context }: CallScope): Relation {
  return {
    sql: `SELECT g, w AS t, 0::BIGINT AS o, count(DISTINCT v0) AS v0
      FROM (${withWindow(feed.sql, frame, context)}) GROUP BY g, w`,
    types: ['integer'],
    hasTies: false,
  };
}

function numberOf(argument: Expression | undefined): number {
  return argument?.kind === 'integer' || argument?.kind === 'number' ? Number(argument.value) : Number.NaN;
}
