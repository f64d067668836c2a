import { percentileOf, type Window, type WindowFunction, type WindowTag } from '@tidemark/core';
import { MAX_WINDOWS, type Windows, type WindowsQuery } from '../engine.ts';
import { fillWindows, groupWindows } from '../fill.ts';
import { compareWindows } from '../order.ts';
import { type WindowSpan, windowSpans } from '../zone.ts';
import { numberOf, tagOf, timeOf } from './cells.ts';
import type { Connection, Series } from './connection.ts';
import { fieldExpression, fromReadings, quoteName, type TimeRange, timeCondition } from './influxql.ts';
import { loadMetrics, type MetricField } from './schema.ts';

/** Statements of one request; each is a scan of its own for the server. */
const maxStatements = 50;

/** One metric over one run of windows: its statements, and how their rows become windows. */
interface Task {
  metric: string;
  statements: string[];
}

/**
 * Windows by InfluxQL. Windows in local time are asked for as runs of equal windows with an offset, not by
 * tz(): where the clocks change, tz()'s windows depend on which points there are.
 */
export async function queryWindows(connection: Connection, query: WindowsQuery): Promise<Windows> {
  const spans = windowSpans(query);
  const fields = spans.length === 0 ? [] : await loadMetrics(connection, query.metrics);
  const numbers = fields.filter(({ cast }) => cast === 'float');
  const tasks = numbers.flatMap((field) => spans.map((span) => toTask(field, span, query)));
  const windows: Window[] = [];
  const perTask = query.functions.includes('rate') ? 2 : 1;
  const step = Math.floor(maxStatements / perTask);
  for (let start = 0; start < tasks.length; start += step) {
    const some = tasks.slice(start, start + step);
    const statements = some.flatMap((task) => task.statements);
    const answers = await connection.query(statements, perTask * (MAX_WINDOWS - windows.length));
    some.forEach(({ metric }, index) => {
      const [rows = [], gaps = []] = answers.slice(index * perTask, (index + 1) * perTask);
      for (const window of toWindows(metric, rows, gaps, query)) windows.push(window);
    });
  }
  windows.sort(compareWindows(query.by));
  return fillWindows({ ...query, groups: groupWindows(windows, query.by), spans });
}

function toTask({ field, metric }: MetricField, span: WindowSpan, query: WindowsQuery): Task {
  const range: TimeRange = {
    fromNs: span.startNs > query.fromNs ? span.startNs : query.fromNs,
    toNs: span.endNs < query.toNs ? span.endNs : query.toNs,
  };
  const expression = fieldExpression(field, 'float');
  const source = fromReadings(range, query);
  const tags = query.by.map(quoteName).join(', ');
  const grouping = groupingOf(span, query);
  const columns = columnsOf(query.functions).map((fn) => call(fn, expression));
  const statements = [`SELECT ${columns.join(', ')}${source} ${grouping}`];
  if (query.functions.includes('rate')) {
    // Windows give selectors no time of their own, so the time between first and last is found as the sum of
    // the gaps between points, less the gap that leads into the window.
    const inner = `SELECT elapsed(${expression}, 1ns) AS gap${source}${tags === '' ? '' : ` GROUP BY ${tags}`}`;
    statements.push(
      `SELECT sum(gap), first(gap), count(gap) FROM (${inner}) WHERE ${timeCondition(range)} ${grouping}`,
    );
  }
  return { metric, statements };
}

/** By time and tags; one window of the whole range needs no time, which is the start of the range then. */
function groupingOf({ startNs, everyNs }: WindowSpan, query: WindowsQuery): string {
  const tags = query.by.map(quoteName);
  if (query.everyNs === undefined) return tags.length === 0 ? '' : `GROUP BY ${tags.join(', ')}`;
  return `GROUP BY ${[`time(${everyNs}ns, ${startNs % everyNs}ns)`, ...tags].join(', ')} fill(none)`;
}

/** What is asked of InfluxDB: the functions, the count (so that no row is left out), what rate is made of. */
function columnsOf(functions: readonly WindowFunction[]): WindowFunction[] {
  const made = functions.includes('rate') ? (['first', 'last'] as const) : [];
  return [...new Set<WindowFunction>(['count', ...functions, ...made])].filter((fn) => fn !== 'rate');
}

function call(fn: WindowFunction, expression: string): string {
  const percentile = percentileOf(fn);
  if (percentile !== undefined) return `percentile(${expression}, ${percentile})`;
  return fn === 'distinct' ? `count(distinct(${expression}))` : `${fn}(${expression})`;
}

function toWindows(
  metric: string,
  rows: readonly Series[],
  gaps: readonly Series[],
  query: WindowsQuery,
): Window[] {
  const columns = columnsOf(query.functions);
  const gapRows = new Map(
    gaps.flatMap(({ tags, values }) => values.map((row) => [groupKey(tags, row[0], query.by), row] as const)),
  );
  return rows.flatMap(({ tags, values }) =>
    values.map((row): Window => {
      const results = new Map(columns.map((fn, index) => [fn, numberOf(row[index + 1])]));
      const gapRow = gapRows.get(groupKey(tags, row[0], query.by));
      return {
        timeNs: query.everyNs === undefined ? query.fromNs : timeOf(row[0]),
        metric,
        ...(query.by.includes('sensor') ? { sensor: tagOf(tags.sensor) ?? '' } : {}),
        ...(query.by.includes('location') ? { location: tagOf(tags.location) ?? null } : {}),
        values: new Map(
          query.functions.map((fn) => [
            fn,
            fn === 'rate' ? rate(results, gapRow) : (results.get(fn) ?? null),
          ]),
        ),
      };
    }),
  );
}

function groupKey(tags: Series['tags'], time: unknown, by: readonly WindowTag[]): string {
  return JSON.stringify([String(time), ...by.map((tag) => tags[tag])]);
}

/** (last − first) / seconds between them; the first point of a query has no gap before it. */
function rate(
  results: ReadonlyMap<WindowFunction, number | null>,
  gapRow: unknown[] | undefined,
): number | null {
  const [, sumNs, firstNs, gaps] = gapRow ?? [];
  const first = results.get('first') ?? null;
  const last = results.get('last') ?? null;
  if (gapRow === undefined || first === null || last === null) return null;
  const leadingNs = gaps === results.get('count') ? Number(firstNs) : 0;
  const seconds = (Number(sumNs) - leadingNs) / 1e9;
  return seconds === 0 ? null : (last - first) / seconds;
}
