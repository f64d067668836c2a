import type { DuckDBDataChunk } from '@duckdb/node-api';
import { messageOf } from '@tidemark/core';
import {
  compileSelect,
  type DataType,
  formatExpression,
  isMathFunction,
  isNumeric,
  QueryError,
  regexesOf,
  type SelectStatement,
} from '@tidemark/influxql';
import {
  MAX_QUERY_ROWS,
  type QueryOptions,
  type QueryRows,
  type QuerySeries,
  type QueryValue,
} from '../../engine.ts';
import { AnswerRows } from '../answer-rows.ts';
import { earliestNs, type Layout, latestNs } from '../layout.ts';
import type { Reader, Statement } from '../reader.ts';
import { Bindings } from './bindings.ts';
import { type Call, driverOf, isPlain } from './calls.ts';
import { Catalog } from './catalog.ts';
import type { PlanContext } from './context.ts';
import { type Grid, gridOf } from './fill.ts';
import { FilledRows } from './filled-rows.ts';
import { directionOf, type Frame, outerFrame } from './frame.ts';
import { newestOfGroups } from './newest.ts';
import { Regexes, textsOf } from './regexes.ts';
import { type Group, Groups } from './relation.ts';
import { type ResolvedSelect, resolveSelect } from './resolve.ts';
import { compareGroups, rowsOf } from './rows.ts';
import { pageOf, slicesOf } from './slices.ts';
import type { Extent } from './window.ts';

/** A query that takes longer holds up others. */
const QUERY_TIMEOUT_MS = 60_000;

/** Answers a SELECT. Throws QueryError where InfluxDB answers with an error. */
export async function answerSelect(
  reader: Reader,
  statement: SelectStatement,
  { nowNs, database }: QueryOptions,
): Promise<QuerySeries[]> {
  const compiled = compileSelect(statement, nowNs);
  const catalog = new Catalog(reader.series);
  const sources = regexesOf(statement);
  const regexes = await Regexes.match(reader, sources, sources.length === 0 ? [] : textsOf(reader));
  const select = resolveSelect(compiled, { catalog, regexes, database });
  const newContext = (): PlanContext => {
    const { layout, series: index } = reader;
    return { catalog, regexes, layout, index, bindings: new Bindings(), extent: extentOf(layout), nowNs };
  };
  const frame = outerFrame(select, nowNs);
  const groups = new Groups(select.dimensions);
  const newest = newestOfGroups(select, frame, groups, newContext());
  const found = newest ?? (await readGroups(reader, select, frame, newContext));
  checkRows(found.reduce((sum, { rows }) => sum + rows.length, 0));
  return seriesOf(select, found);
}

/** Rows of the answer and the group that they are of. */
interface Found {
  group: Group;
  rows: QueryRows;
}

async function readGroups(
  reader: Reader,
  select: ResolvedSelect,
  frame: Frame,
  newContext: () => PlanContext,
): Promise<Found[]> {
  const empty = emptyWindow(select);
  const read: Frame = empty === undefined ? frame : { ...frame, fill: { kind: 'none' } };
  let groups = new Groups([]);
  let grid: Grid | undefined;
  let rows: AnswerRows | undefined;
  const page = pageOf(select);
  for (const slice of slicesOf(select, page, read, newContext())) {
    const build = (): Statement => {
      const context = newContext();
      groups = new Groups(select.dimensions);
      const limit = frame.limit === 0 ? 0 : frame.limit - (rows?.length ?? 0);
      const { sql, types } = statementSql(select, { ...slice, limit }, groups, context);
      grid = empty && gridOf(frame, groups.list.length);
      rows ??= new AnswerRows(types.map((type, index) => absentValue(select, type, index)));
      return { sql, parameters: context.bindings.usedBy(sql) };
    };
    const add = (chunk: DuckDBDataChunk): void => {
      rows!.add(chunk);
      checkRows(rows!.length);
    };
    await reader.run(build, add, { timeoutMs: QUERY_TIMEOUT_MS }).catch((error: unknown) => {
      throw limitError(error);
    });
    if (page !== undefined && rows!.length >= page.points) break;
  }
  return rows!.groups.map(({ position, rows: own }) => ({
    group: groups.list[position]!,
    rows: grid === undefined ? own : new FilledRows(own, grid, empty!),
  }));
}

/** InfluxDB's words for what took too long, and for what DuckDB finds too deep. */
function limitError(error: unknown): unknown {
  const reason = error instanceof Error ? messageOf(error.cause) : '';
  if (/interrupt/i.test(reason)) return new QueryError('query-timeout limit exceeded');
  return /expression depth|recursion depth|stack/i.test(reason) ? new QueryError('query too complex') : error;
}

function checkRows(count: number): void {
  if (count <= MAX_QUERY_ROWS) return;
  throw new QueryError(`max-select-point limit exceeded: (${count}/${MAX_QUERY_ROWS})`);
}

/**
 * What a window without points holds, by column, where rows are windows and nothing more is made of them: then the empty
 * ones are left to who goes through the answer. Undefined elsewhere.
 */
function emptyWindow(select: ResolvedSelect): QueryValue[] | undefined {
  const { fields, interval, fill, range, limit, offset } = select;
  if (interval === undefined || fill.kind !== 'null' || range.minNs === undefined) return undefined;
  if (limit !== 0 || offset !== 0) return undefined;
  const calls = fields.flatMap(({ expression }) =>
    expression.kind === 'call' && hasValueOfEach(expression) ? [expression] : [],
  );
  if (calls.length < fields.length) return undefined;
  const drivers = new Set(calls.map((call) => formatExpression(driverOf(call))));
  if (calls.length > 1 && (drivers.size > 1 || !calls.every(isPlain))) return undefined;
  return calls.map(({ name }) => (name === 'count' ? 0n : null));
}

/** True for a call with one value for each window. */
function hasValueOfEach(call: Call): boolean {
  const [first] = call.args;
  return (
    isPlain(call) ||
    call.name === 'percentile' ||
    (call.name === 'count' && first?.kind === 'call' && first.name === 'distinct')
  );
}

function statementSql(
  select: ResolvedSelect,
  frame: Frame,
  groups: Groups,
  context: PlanContext,
): { sql: string; types: readonly DataType[] } {
  const { sql, types, hasTies, isSorted } = rowsOf(select, frame, groups, context);
  const columns = types.map((_, index) => `v${index}`);
  const order = isSorted === true ? '' : `ORDER BY g, t ${directionOf(frame)}${hasTies ? ', o' : ''}`;
  return {
    sql: `SELECT g, t, ${columns.join(', ')} FROM (${sql}) ${order} LIMIT ${MAX_QUERY_ROWS + 1}`,
    types,
  };
}

/** What stands for a text or boolean that is absent: with `fill(number)`, the number. */
function absentValue(select: ResolvedSelect, type: DataType, index: number): QueryValue {
  const { fill, fields } = select;
  if (fill.kind !== 'number' || isNumeric(type) || type === 'unknown') return null;
  // Further columns are those that `top` and `bottom` add.
  const expression = fields[index]?.expression;
  const isComputed =
    expression?.kind === 'call' ? isMathFunction(expression.name) : expression?.kind === 'binary';
  return isComputed ? null : fill.value;
}

function extentOf(layout: Layout): Extent {
  const firstNs = earliestNs(layout);
  const lastNs = latestNs(layout);
  return { firstNs, lastNs: lastNs > firstNs ? lastNs : firstNs };
}

function seriesOf(select: ResolvedSelect, found: readonly Found[]): QuerySeries[] {
  const sign = select.order === 'desc' ? -1 : 1;
  return found
    .toSorted((a, b) => sign * compareGroups(a.group, b.group))
    .map(({ group, rows }) => ({
      name: group.measurement,
      tags: group.tags.size === 0 ? undefined : group.tags,
      columns: [select.timeName, ...select.columns],
      hasTime: true,
      timeZone: select.timeZone,
      values: rows,
    }));
}
