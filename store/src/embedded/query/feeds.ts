import { INTEGER, LIST, listValue, VARCHAR } from '@duckdb/node-api';
import { extraColumns, fieldName, formatExpression } from '@tidemark/influxql';
import { conditionSql, referencesIn } from './conditions.ts';
import type { PlanContext } from './context.ts';
import { castSql, isCastable, type Typed } from './expression.ts';
import { type FeedQuery, measurementFeed, type Reference, typeOfReference, wantedOf } from './feed.ts';
import { innerFrame } from './frame.ts';
import { emptyRelation, type Group, Groups, type Relation, sqlTypeOf, valueColumns } from './relation.ts';
import type { ResolvedSelect, ResolvedSource } from './resolve.ts';
import { compareGroups, rowsOf } from './rows.ts';

/** The points of all sources of a select: `v0` is the driver, the rest is beside it. */
export function feedOf(
  sources: readonly ResolvedSource[],
  query: FeedQuery,
  groups: Groups,
  context: PlanContext,
): Relation {
  const measurements = sources.flatMap((source) => (source.kind === 'measurement' ? [source.name] : []));
  const feeds: Relation[] = [];
  if (measurements.length > 0) feeds.push(measurementFeed(measurements, query, groups, context));
  for (const source of sources) {
    if (source.kind === 'subquery') feeds.push(subqueryFeed(source.select, query, groups, context));
  }
  const [first, ...rest] = feeds;
  if (first === undefined) return emptyRelation([]);
  if (rest.length === 0) return first;
  return { sql: feeds.map(({ sql }) => sql).join(' UNION ALL '), types: first.types, hasTies: true };
}

function subqueryFeed(
  select: ResolvedSelect,
  query: FeedQuery,
  groups: Groups,
  context: PlanContext,
): Relation {
  const wanted = wantedOf(query);
  const types = wanted.map(typeOfReference);
  const frame = innerFrame(select, query.frame, context.nowNs);
  const inner = new Groups(frame.groupBy);
  const rows = rowsOf(select, frame, inner, context);
  if (inner.list.length === 0) return emptyRelation(types);
  const asked = [...wanted, ...(query.filter === undefined ? [] : referencesIn(query.filter))];
  const { symbols, tags } = symbolsOf(asked, select, rows);
  const cells = wanted.map((reference, index) => {
    const symbol = symbols.get(formatExpression(reference));
    const type = types[index]!;
    return symbol === undefined || !isCastable(symbol.type, type)
      ? `NULL::${sqlTypeOf(type)}`
      : castSql(symbol, type);
  });
  const where = [
    ...(query.driver === undefined ? [] : [`${cells[0]} IS NOT NULL`]),
    ...(query.filter === undefined
      ? []
      : [conditionSql(query.filter, { symbols, bindings: context.bindings, takesAbsentForFalse: true })]),
  ];
  const outer = inner.list.map(({ measurement, tags: values }) =>
    groups.positionOf(measurement, (key) => values.get(key) ?? ''),
  );
  const sql = `SELECT og AS g, t, rank * 1099511627776 + o AS o, ${valueColumns(types, (_, index) => cells[index]!)}
    FROM (${rows.sql}) JOIN (${mappingSql(inner.list, outer, tags, context)}) USING (g)
    ${where.length === 0 ? '' : `WHERE ${where.join(' AND ')}`}`;
  return { sql, types, hasTies: rows.hasTies || inner.list.length > 1 };
}

/** What the names mean inside: a column of the subquery's rows, else a tag that they are grouped by. */
function symbolsOf(
  references: readonly Reference[],
  select: ResolvedSelect,
  rows: Relation,
): { symbols: Map<string, Typed>; tags: string[] } {
  const columns = select.fields.flatMap((field) => [field, ...extraColumns(field)]).map(fieldName);
  const symbols = new Map<string, Typed>();
  const tags: string[] = [];
  for (const reference of references) {
    const column = columns.indexOf(reference.name);
    const key = formatExpression(reference);
    if (column >= 0) {
      symbols.set(key, { sql: `v${column}`, type: rows.types[column]! });
    } else if (select.dimensions.includes(reference.name)) {
      if (!tags.includes(reference.name)) tags.push(reference.name);
      symbols.set(key, { sql: `tag${tags.indexOf(reference.name)}`, type: 'tag' });
    }
  }
  return { symbols, tags };
}

/** The outer group, the order and the tags of each inner group. */
function mappingSql(
  inner: readonly Group[],
  outer: readonly number[],
  tags: readonly string[],
  { bindings }: PlanContext,
): string {
  const order = inner.map((_, index) => index).sort((a, b) => compareGroups(inner[a]!, inner[b]!));
  const ranks: number[] = [];
  order.forEach((position, rank) => {
    ranks[position] = rank;
  });
  const list = (values: readonly number[]): string => bindings.add(listValue(values), LIST(INTEGER));
  return `SELECT ${[
    `unnest(${list(inner.map((_, index) => index))}) AS g`,
    `unnest(${list(outer)}) AS og`,
    `unnest(${list(ranks)})::BIGINT AS rank`,
    ...tags.map((tag, index) => {
      const values = inner.map((group) => group.tags.get(tag) ?? '');
      return `unnest(${bindings.add(listValue(values), LIST(VARCHAR))}) AS tag${index}`;
    }),
  ].join(', ')}`;
}
