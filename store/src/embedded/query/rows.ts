import {
  type DataType,
  type Expression,
  extraColumns,
  formatExpression,
  isMathFunction,
  isSelector,
  type SelectField,
  walk,
} from '@tidemark/influxql';
import { compareText } from '../../order.ts';
import { aggregatesRelation, type Call, type CallScope, callRelation, driverOf, isPlain } from './calls.ts';
import type { PlanContext } from './context.ts';
import { expressionSql, type Typed } from './expression.ts';
import { type Reference, typeOfReference } from './feed.ts';
import { feedOf } from './feeds.ts';
import { directionOf, type Frame } from './frame.ts';
import {
  emptyRelation,
  type Group,
  type Groups,
  type Relation,
  sqlTypeOf,
  valueColumns,
} from './relation.ts';
import type { ResolvedSelect } from './resolve.ts';
import { typeOf } from './types.ts';

/** The rows of a select: one value for each of its columns. */
export function rowsOf(select: ResolvedSelect, frame: Frame, groups: Groups, context: PlanContext): Relation {
  const columns = select.fields.flatMap((field) => [field, ...extraColumns(field)]);
  const { calls, references } = partsOf(columns);
  const scope: CallScope = {
    sources: select.sources,
    filter: select.filter,
    frame,
    groups,
    context,
    beside: references,
    isAlone: calls.length === 1 && isSelector(calls[0]!.name),
  };
  const parts = calls.length === 0 ? [rawPart(scope)] : callParts(calls.filter(isAnswered), scope);
  const present = parts.filter((part) => part !== undefined);
  if (present.length === 0) return emptyRelation(columns.map(({ expression }) => typeOf(expression)));
  const joined = present.length === 1 ? only(present[0]!, scope) : join(present, scope);
  const carried = frame.fill.kind === 'previous' ? carry(joined, frame) : joined;
  const cells = columns.map(({ expression }) => expressionSql(expression, carried.symbols, context.bindings));
  const types = columns.map(({ expression }, index) => known(cells[index]!.type, typeOf(expression)));
  const isThemselves = present.length === 1 && cells.every(({ sql }, index) => sql === `v${index}`);
  return {
    sql: isThemselves
      ? carried.sql
      : `SELECT g, t, o, ${valueColumns(types, (_, index) => cells[index]!.sql)} FROM (${carried.sql})`,
    types,
    hasTies: joined.hasTies,
    isSorted: carried.isSorted,
  };
}

/** Groups in the order of the answer: by measurement, then by the values of the tags in the order of their keys. */
export function compareGroups(a: Group, b: Group): number {
  let order = compareText(a.measurement, b.measurement);
  const keys = [...a.tags.keys()].sort(compareText);
  for (const key of keys) order ||= compareText(a.tags.get(key) ?? '', b.tags.get(key) ?? '');
  return order;
}

/** False for a call whose type is its field's, where there is no such field: InfluxDB leaves its column empty. */
function isAnswered(call: Call): boolean {
  return typeOf(call) !== 'unknown';
}

function known(type: DataType, found: DataType): DataType {
  return type === 'unknown' ? found : type;
}

/** A relation whose columns are known by the expressions that they are the values of. */
interface Part {
  relation: Relation;
  keys: readonly string[];
}

interface Joined {
  sql: string;
  symbols: Map<string, Typed>;
  hasTies: boolean;
  isSorted?: boolean | undefined;
}

/** The different calls, and the names that stand outside of them, in order. */
function partsOf(columns: readonly SelectField[]): { calls: Call[]; references: Reference[] } {
  const calls = new Map<string, Call>();
  const references = new Map<string, Reference>();
  const visit = (node: Expression): boolean => {
    if (node.kind === 'reference') references.set(formatExpression(node), node);
    if (node.kind !== 'call' || isMathFunction(node.name)) return true;
    calls.set(formatExpression(node), node);
    return false;
  };
  for (const { expression } of columns) walk(expression, visit);
  const sorted = [...references.values()].sort((a, b) => compareText(a.name, b.name));
  return { calls: [...calls.values()], references: sorted };
}

function rawPart(scope: CallScope): Part | undefined {
  const { sources, filter, frame, groups, context, beside } = scope;
  if (beside.every((reference) => typeOfReference(reference) === 'unknown')) return undefined;
  const feed = feedOf(sources, { driver: undefined, beside, filter, frame }, groups, context);
  // Points of one time are ordered by the texts beside them, up to the first that is none.
  const texts = leadingTexts(feed.types);
  const ordered =
    texts.length === 0 || !feed.hasTies
      ? feed
      : {
          ...feed,
          sql: `SELECT * REPLACE (row_number() OVER (PARTITION BY g, t ORDER BY ${texts
            .map((column) => `${column} ${directionOf(frame)}`)
            .join(', ')}, o) AS o) FROM (${feed.sql})`,
        };
  return { relation: limited(ordered, scope), keys: beside.map(formatExpression) };
}

function leadingTexts(types: readonly DataType[]): string[] {
  const end = types.findIndex((type) => type !== 'string' && type !== 'tag');
  return types.slice(0, end < 0 ? types.length : end).map((_, index) => `v${index}`);
}

function callParts(calls: readonly Call[], scope: CallScope): Part[] {
  if (calls.length === 0) return [];
  if (scope.isAlone) {
    const keys = [calls[0]!, ...scope.beside].map(formatExpression);
    return [{ relation: limited(callRelation(calls[0]!, scope), scope), keys }];
  }
  const together = new Map<string, Call[]>();
  for (const call of calls) {
    const key = isPlain(call) ? formatExpression(driverOf(call)) : `call ${formatExpression(call)}`;
    together.set(key, [...(together.get(key) ?? []), call]);
  }
  const own = { ...scope, beside: [] };
  return [...together.values()].map((members) => ({
    relation: limited(
      isPlain(members[0]!) ? aggregatesRelation(members, own) : callRelation(members[0]!, own),
      scope,
    ),
    keys: members.map(formatExpression),
  }));
}

/** LIMIT and OFFSET, which InfluxQL applies to each call by itself. */
function limited(relation: Relation, { frame, context, groups }: CallScope): Relation {
  const { limit, offset } = frame;
  if (limit === 0 && offset === 0) return relation;
  const order = `ORDER BY t ${directionOf(frame)}${relation.hasTies ? ', o' : ''}`;
  const skipped = context.bindings.integer(BigInt(offset));
  const last = limit === 0 ? undefined : context.bindings.integer(BigInt(limit));
  const sql =
    groups.list.length === 1
      ? `SELECT * FROM (${relation.sql}) ${order} ${limit === 0 ? '' : `LIMIT ${limit}`} ${offset === 0 ? '' : `OFFSET ${offset}`}`
      : `SELECT * EXCLUDE (n) FROM (SELECT *, row_number() OVER (PARTITION BY g ${order}) AS n FROM (${relation.sql}))
          WHERE n > ${skipped} ${last === undefined ? '' : `AND n <= ${skipped} + ${last}`}`;
  return { ...relation, sql, isSorted: groups.list.length === 1 };
}

function only({ relation, keys }: Part, scope: CallScope): Joined {
  const symbols = new Map<string, Typed>();
  keys.forEach((key, index) => {
    const type = relation.types[index]!;
    symbols.set(key, { sql: withDefault(`v${index}`, type, scope), type });
  });
  const { sql, hasTies, isSorted } = relation;
  return { sql, symbols, hasTies, isSorted };
}

/** Rows of several calls: those of one group and time stand in one row. */
function join(parts: readonly Part[], scope: CallScope): Joined {
  const columns = parts.flatMap(({ relation, keys }, part) =>
    keys.map((key, index) => ({ part, key, index, type: relation.types[index]! })),
  );
  const number = (hasTies: boolean): string =>
    hasTies ? 'row_number() OVER (PARTITION BY g, t ORDER BY o)' : '1::BIGINT';
  const rows = parts.map(({ relation }, part) => {
    const cells = columns.map((column, position) =>
      column.part === part
        ? `v${column.index} AS x${position}`
        : `NULL::${sqlTypeOf(column.type)} AS x${position}`,
    );
    return `SELECT g, t, ${number(relation.hasTies)} AS o, ${cells.join(', ')} FROM (${relation.sql})`;
  });
  const merged = columns.map((_, position) => `any_value(x${position}) AS x${position}`);
  const symbols = new Map<string, Typed>();
  columns.forEach(({ key, type }, position) => {
    symbols.set(key, { sql: withDefault(`x${position}`, type, scope), type });
  });
  const sql = `SELECT g, t, o, ${merged.join(', ')} FROM (${rows.join(' UNION ALL ')}) GROUP BY g, t, o`;
  return { sql, symbols, hasTies: parts.some(({ relation }) => relation.hasTies) };
}

/** What is absent from a row is the number of `fill`, where the column is one of numbers. */
function withDefault(column: string, type: DataType, { frame, context }: CallScope): string {
  const { fill } = frame;
  if (fill.kind !== 'number' || type === 'string' || type === 'tag' || type === 'boolean') return column;
  const value = Number(fill.value);
  if (type === 'float' || type === 'unknown') return `COALESCE(${column}, ${context.bindings.float(value)})`;
  return `COALESCE(${column}, ${context.bindings.whole(BigInt(Math.trunc(value)), type)})`;
}

/** `fill(previous)`: what is absent from a row is what it was in the row before. */
function carry({ sql, symbols, hasTies }: Joined, frame: Frame): Joined {
  const order = `PARTITION BY g ORDER BY t ${directionOf(frame)}, o ROWS UNBOUNDED PRECEDING`;
  const carried = new Map<string, Typed>();
  const columns = [...symbols].map(([key, { sql: value, type }], index) => {
    carried.set(key, { sql: `y${index}`, type });
    return `last_value(${value} IGNORE NULLS) OVER (${order}) AS y${index}`;
  });
  return { sql: `SELECT g, t, o, ${columns.join(', ')} FROM (${sql})`, symbols: carried, hasTies };
}
