import type { DuckDBValue } from '@duckdb/node-api';
import { messageOf } from '@tidemark/core';
import {
  compileSelect,
  type DataType,
  isMathFunction,
  isNumeric,
  QueryError,
  regexesOf,
  type SelectStatement,
} from '@tidemark/influxql';
import { MAX_QUERY_ROWS, type QueryOptions, type QuerySeries, type QueryValue } from '../../engine.ts';
import type { Columns } from '../database.ts';
import { earliestNs, type Layout, latestNs } from '../layout.ts';
import type { Reader } from '../reader.ts';
import { Bindings } from './bindings.ts';
import { Catalog } from './catalog.ts';
import type { PlanContext } from './context.ts';
import { directionOf, outerFrame } from './frame.ts';
import { Regexes, textsOf } from './regexes.ts';
import { type Group, Groups } from './relation.ts';
import { type ResolvedSelect, resolveSelect } from './resolve.ts';
import { compareGroups, rowsOf } from './rows.ts';
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
  let groups = new Groups([]);
  const rows = new Map<number, QueryValue[][]>();
  let absent: QueryValue[] = [];
  let count = 0;
  await reader
    .run(
      () => {
        groups = new Groups(select.dimensions);
        const bindings = new Bindings();
        const { layout, series: index } = reader;
        const extent = extentOf(layout);
        const context: PlanContext = { catalog, regexes, layout, index, bindings, extent, nowNs };
        const { sql, types } = statementSql(select, groups, context);
        absent = types.map((type, index) => absentValue(select, type, index));
        return { sql, parameters: bindings.usedBy(sql) };
      },
      (columns) => {
        count += columns[0]?.length ?? 0;
        if (count > MAX_QUERY_ROWS) {
          throw new QueryError(`max-select-point limit exceeded: (${count}/${MAX_QUERY_ROWS})`);
        }
        appendRows(rows, columns, absent);
      },
      { timeoutMs: QUERY_TIMEOUT_MS },
    )
    .catch((error: unknown) => {
      throw limitError(error);
    });
  return seriesOf(select, groups.list, rows);
}

/** InfluxDB's words for what took too long, and for what DuckDB finds too deep. */
function limitError(error: unknown): unknown {
  const reason = error instanceof Error ? messageOf(error.cause) : '';
  if (/interrupt/i.test(reason)) return new QueryError('query-timeout limit exceeded');
  return /expression depth|recursion depth|stack/i.test(reason) ? new QueryError('query too complex') : error;
}

function statementSql(
  select: ResolvedSelect,
  groups: Groups,
  context: PlanContext,
): { sql: string; types: readonly DataType[] } {
  const frame = outerFrame(select, context.nowNs);
  const { sql, types } = rowsOf(select, frame, groups, context);
  const columns = types.map((_, index) => `v${index}`);
  const order = `ORDER BY g, t ${directionOf(frame)}, o LIMIT ${MAX_QUERY_ROWS + 1}`;
  return { sql: `SELECT g, t, ${columns.join(', ')} FROM (${sql}) ${order}`, types };
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

function appendRows(
  rows: Map<number, QueryValue[][]>,
  [groups = [], times = [], ...values]: Columns,
  absent: readonly QueryValue[],
): void {
  for (let row = 0; row < groups.length; row++) {
    const group = groups[row] as number;
    const list = rows.get(group) ?? [];
    list.push([
      times[row] as bigint,
      ...values.map((column, index) => finite(column[row]!) ?? absent[index]!),
    ]);
    rows.set(group, list);
  }
}

/** What is no number is nothing, as in InfluxDB's JSON. */
function finite(value: DuckDBValue): QueryValue {
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  return value as QueryValue;
}

function seriesOf(
  select: ResolvedSelect,
  groups: readonly Group[],
  rows: ReadonlyMap<number, QueryValue[][]>,
): QuerySeries[] {
  const sign = select.order === 'desc' ? -1 : 1;
  return [...rows]
    .map(([position, values]) => ({ group: groups[position]!, values }))
    .sort((a, b) => sign * compareGroups(a.group, b.group))
    .map(({ group, values }) => ({
      name: group.measurement,
      tags: group.tags.size === 0 ? undefined : group.tags,
      columns: [select.timeName, ...select.columns],
      hasTime: true,
      timeZone: select.timeZone,
      values,
    }));
}
