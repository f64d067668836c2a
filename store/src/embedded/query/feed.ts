import { BIGINT, INTEGER, LIST, listValue, VARCHAR } from '@duckdb/node-api';
import { type FieldType, Uint64 } from '@tidemark/core';
import { type DataType, type Expression, formatExpression, typeOfCast } from '@tidemark/influxql';
import { valueTypes } from '../schema.ts';
import type { Series } from '../series.ts';
import { buildSource } from '../source.ts';
import { tagOf } from './catalog.ts';
import { conditionSql, referencesIn } from './conditions.ts';
import type { PlanContext } from './context.ts';
import { castSql, isCastable, type Typed } from './expression.ts';
import type { Frame } from './frame.ts';
import { type Member, selectMembers } from './members.ts';
import {
  emptyRelation,
  type Groups,
  type Relation,
  type Shortcuts,
  sqlTypeOf,
  valueColumns,
} from './relation.ts';
import { summedSql } from './summed.ts';
import { isDense, isFew } from './window.ts';

export type Reference = Extract<Expression, { kind: 'reference' }>;

/** Which points are wanted, and with what. */
export interface FeedQuery {
  /** A point without it is none; without a driver, a point needs one of the fields beside. */
  driver: Reference | undefined;
  /** What else is wanted of each point. */
  beside: readonly Reference[];
  filter: Expression | undefined;
  frame: Frame;
  /** True when of each group only the newest point counts. */
  isForNewest?: boolean;
}

/** The points of measurements: `v0` is the driver, the rest is beside it. */
export function measurementFeed(
  measurements: readonly string[],
  query: FeedQuery,
  groups: Groups,
  context: PlanContext,
): Relation {
  const wanted = wantedOf(query);
  const types = wanted.map(typeOfReference);
  const { members, conditions } = selectMembers(measurements, query, groups, context);
  const fields = uniqueReferences([...wanted, ...conditions.flatMap(referencesIn)]).filter(isField);
  const driving = query.driver === undefined ? query.beside.filter(isField) : [query.driver];
  if (members.length === 0 || !driving.some(isField)) return emptyRelation(types);
  const isSimple = query.isForNewest === true && conditions.length === 0 && fields.length === 1;
  const base =
    (isSimple ? newestRows(members, fields[0]!, query.frame, context) : undefined) ??
    baseRows(members, fields, query.frame, context);
  if (base === undefined) return emptyRelation(types);
  const tags = uniqueReferences(wanted).filter((reference) => !isField(reference));
  const symbols = new Map<string, Typed>();
  fields.forEach((field, index) => {
    symbols.set(formatExpression(field), { sql: `f${index}`, type: typeOfReference(field) });
  });
  tags.forEach((tag, index) => {
    symbols.set(formatExpression(tag), { sql: `tag${index}`, type: 'tag' });
  });
  const columns = wanted.map((reference) => symbols.get(formatExpression(reference))!.sql);
  const isThere = driving
    .filter(isField)
    .map((reference) => `${symbols.get(formatExpression(reference))!.sql} IS NOT NULL`);
  const where = [
    ...(base.isPresent ? [] : [`(${isThere.join(' OR ')})`]),
    ...filterOf(conditions, base, symbols, context),
  ];
  const { head, from } = joinMembers(base, tags, context);
  const sql = `SELECT ${head}, ${valueColumns(types, (_, index) => columns[index]!)}
    FROM (${from}) ${where.length === 0 ? '' : `WHERE ${where.join(' AND ')}`}`;
  const isShared = new Set(members.map(({ group }) => group)).size < members.length;
  const isBare = conditions.length === 0 && wanted.length === 1 && fields.length === 1;
  const shortcuts = isBare ? shortcutsOf(base, query.frame, context) : undefined;
  return { sql, types, hasTies: isShared, shortcuts };
}

function shortcutsOf(base: Base, frame: Frame, context: PlanContext): Shortcuts {
  const entries = [...base.members];
  const groups = entries.map(([, { member }]) => member.group);
  const isOne = groups.every((group) => group === groups[0]);
  const list = (values: readonly number[]): string => context.bindings.add(listValue(values), LIST(INTEGER));
  const grouped = (): string =>
    `SELECT unnest(${list(entries.map(([k]) => k))}) AS series, unnest(${list(groups)}) AS g`;
  return {
    sinceNs: frame.startNs < 0n ? undefined : frame.startNs,
    onlyGroup: isOne ? groups[0] : undefined,
    isFew: isFew(entries.length, frame, context),
    bySeries:
      isOne || !isDense(frame, context)
        ? undefined
        : {
            sql: `SELECT k AS series, t, f0 AS value FROM (${base.sql}) ${base.isPresent ? '' : 'WHERE f0 IS NOT NULL'}`,
            groups: grouped(),
          },
    summed: (parts) => {
      const wanted = entries.map(([k]) => context.index.byId(k));
      const isFloat = base.isPresent && wanted.every(({ type }) => type === 'float');
      const sql = isFloat ? summedSql(parts, { type: 'float', wanted }, frame, context) : undefined;
      return sql === undefined ? undefined : { sql, groups: grouped() };
    },
  };
}

/** What is wanted of each point: the driver first. */
export function wantedOf({ driver, beside }: FeedQuery): Reference[] {
  return [...(driver === undefined ? [] : [driver]), ...beside];
}

export function typeOfReference({ cast }: Reference): DataType {
  return typeOfCast(cast) ?? 'unknown';
}

function isField(reference: Reference): boolean {
  const type = typeOfReference(reference);
  return type !== 'tag' && type !== 'unknown';
}

function uniqueReferences(references: readonly Reference[]): Reference[] {
  return [...new Map(references.map((reference) => [formatExpression(reference), reference])).values()];
}

/** Rows (k, t, f0, f1, …) of fields, and the member that each `k` stands for. */
interface Base {
  sql: string;
  members: ReadonlyMap<number, { member: Member; position: number }>;
  /** True where no field is null: it is the only one, and of the type in which it is stored. */
  isPresent: boolean;
}

interface Column {
  /** Position of the field. */
  field: number;
  /** The type in which it is stored. */
  stored: FieldType;
  series: { series: Series; member: Member; position: number }[];
}

function baseRows(
  members: readonly Member[],
  fields: readonly Reference[],
  frame: Frame,
  context: PlanContext,
): Base | undefined {
  const columns = fields.flatMap((field, index) => columnsOf(field, index, members));
  const sources = columns.flatMap((column) => {
    const sql = sourceSql(column, frame, context);
    return sql === undefined ? [] : [{ column, sql }];
  });
  if (sources.length === 0) return undefined;
  const value = ({ stored }: Column, index: number): string =>
    castSql({ sql: 'value', type: stored }, typeOfReference(fields[index]!));
  if (fields.length === 1) {
    // Series need no joining to points: each stands for its tag set.
    const rows = sources.map(
      ({ column, sql }) => `SELECT series AS k, time AS t, ${value(column, 0)} AS f0 FROM ${sql}`,
    );
    const standing = columns.flatMap(({ series }) => series);
    return {
      sql: rows.join(' UNION ALL '),
      members: new Map(standing.map((item) => [item.series.id, item])),
      isPresent: columns.every(({ stored }) => stored === typeOfReference(fields[0]!)),
    };
  }
  const rows = sources.map(({ column, sql }) => {
    const cells = fields.map((field, index) =>
      index === column.field
        ? `${value(column, index)} AS f${index}`
        : `NULL::${sqlTypeOf(typeOfReference(field))} AS f${index}`,
    );
    const ids = context.bindings.add(listValue(column.series.map(({ series }) => series.id)), LIST(INTEGER));
    const ks = context.bindings.add(listValue(column.series.map(({ position }) => position)), LIST(INTEGER));
    return `SELECT k, time AS t, ${cells.join(', ')} FROM ${sql}
      JOIN (SELECT unnest(${ids}) AS id, unnest(${ks}) AS k) ON id = series`;
  });
  const merged = fields.map((_, index) => `any_value(f${index}) AS f${index}`);
  return {
    sql: `SELECT k, t, ${merged.join(', ')} FROM (${rows.join(' UNION ALL ')}) GROUP BY k, t`,
    members: new Map(members.map((member, position) => [position, { member, position }])),
    isPresent: false,
  };
}

/** The newest point of each series, which is in memory; undefined where some are behind the end of the frame. */
function newestRows(
  members: readonly Member[],
  field: Reference,
  { startNs, endNs }: Frame,
  { bindings }: PlanContext,
): Base | undefined {
  const columns = columnsOf(field, 0, members);
  const standing = columns.flatMap(({ series }) => series);
  if (standing.some(({ series }) => series.lastTimeNs > endNs)) return undefined;
  const rows = columns.flatMap(({ stored, series }) => {
    const present = series.map((item) => item.series).filter(({ lastTimeNs }) => lastTimeNs >= startNs);
    if (present.length === 0) return [];
    const ids = bindings.add(listValue(present.map(({ id }) => id)), LIST(INTEGER));
    const times = bindings.add(listValue(present.map(({ lastTimeNs }) => lastTimeNs)), LIST(BIGINT));
    const newest = present.map(({ lastValue }) =>
      lastValue instanceof Uint64 ? lastValue.value : lastValue,
    );
    const values = bindings.add(listValue(newest), LIST(valueTypes[stored].duckdb));
    const value = castSql({ sql: 'value', type: stored }, typeOfReference(field));
    return [
      `SELECT k, t, ${value} AS f0
       FROM (SELECT unnest(${ids}) AS k, unnest(${times}) AS t, unnest(${values}) AS value)`,
    ];
  });
  if (rows.length === 0) return undefined;
  return {
    sql: rows.join(' UNION ALL '),
    members: new Map(standing.map((item) => [item.series.id, item])),
    isPresent: columns.every(({ stored }) => stored === typeOfReference(field)),
  };
}

function columnsOf(field: Reference, index: number, members: readonly Member[]): Column[] {
  const byType = new Map<FieldType, Column>();
  members.forEach((member, position) => {
    const series = member.tagSet.series.get(field.name);
    if (series === undefined || !isCastable(series.type, typeOfReference(field))) return;
    const column = byType.get(series.type) ?? { field: index, stored: series.type, series: [] };
    column.series.push({ series, member, position });
    byType.set(series.type, column);
  });
  return [...byType.values()];
}

function sourceSql(
  { stored, series }: Column,
  { startNs, endNs }: Frame,
  { layout, index, bindings }: PlanContext,
): string | undefined {
  const source = buildSource(layout, index, {
    type: stored,
    wanted: series.map((item) => item.series),
    fromNs: startNs,
    toNs: endNs + 1n,
    prefix: bindings.prefix(),
  });
  if (source === undefined) return undefined;
  bindings.merge(source.parameters);
  return source.sql;
}

/** Rows with their group and the order of their tag set as `head` has them, the tags wanted and the number of their condition. */
function joinMembers(
  base: Base,
  tags: readonly Reference[],
  { bindings }: PlanContext,
): { head: string; from: string } {
  const entries = [...base.members];
  const groups = entries.map(([, { member }]) => member.group);
  const conditions = entries.map(([, { member }]) => member.condition ?? -1);
  const isOne = (values: readonly number[]): boolean => values.every((value) => value === values[0]);
  if (tags.length === 0 && isOne(groups) && isOne(conditions)) {
    // Each SELECT around another takes DuckDB's planner longer than these columns.
    return { head: `${groups[0]} AS g, t, k::BIGINT AS o`, from: base.sql };
  }
  const list = (values: readonly number[]): string => bindings.add(listValue(values), LIST(INTEGER));
  const columns = [
    `unnest(${list(entries.map(([k]) => k))}) AS k`,
    `unnest(${list(groups)}) AS g`,
    `unnest(${list(entries.map(([, { position }]) => position))})::BIGINT AS o`,
    `unnest(${list(conditions)}) AS c`,
    ...tags.map((tag, index) => {
      const values = entries.map(([, { member }]) => tagOf(member.tagSet, tag.name) || null);
      return `unnest(${bindings.add(listValue(values), LIST(VARCHAR))}) AS tag${index}`;
    }),
  ];
  const from = `SELECT * FROM (${base.sql}) JOIN (SELECT ${columns.join(', ')}) USING (k)`;
  return { head: 'g, t, o', from };
}

function filterOf(
  conditions: readonly Expression[],
  { members }: Base,
  symbols: ReadonlyMap<string, Typed>,
  { bindings }: PlanContext,
): string[] {
  if (conditions.length === 0) return [];
  const sqls = conditions.map((condition) =>
    conditionSql(condition, { symbols, bindings, takesAbsentForFalse: false }),
  );
  // A condition of all can be looked at where the rows are read, before they are joined to anything.
  const [one, ...others] = new Set([...members.values()].map(({ member }) => member.condition));
  if (others.length === 0) return one === undefined ? [] : [sqls[one]!];
  const branches = sqls.map((sql, index) => `WHEN ${index} THEN ${sql}`);
  return [`CASE c ${branches.join(' ')} ELSE TRUE END`];
}
