import { BIGINT, DOUBLE, INTEGER, LIST, listValue } from '@duckdb/node-api';
import { messageOf, percentileOf, type WindowFunction, type WindowTag } from '@tidemark/core';
import { MAX_WINDOWS, type Windows, type WindowsQuery } from '../engine.ts';
import { fillWindows } from '../fill.ts';
import { compareText } from '../order.ts';
import { type WindowSpan, windowSpans } from '../zone.ts';
import { AnswerRows } from './answer-rows.ts';
import type { Parameters } from './database.ts';
import { earliestNs, type Partition } from './layout.ts';
import { columnsOf, partOfParts, partOfPoints, partOfSeries, partsOfParts } from './parts.ts';
import type { Reader, Statement } from './reader.ts';
import { quote } from './schema.ts';
import type { Series } from './series.ts';
import { buildSource, type Source, storableRange, wantedSeries } from './source.ts';
import { summedPartitions } from './sums.ts';
import { isMergeable, neededParts, type WindowGroup, WindowRows } from './window-rows.ts';

/**
 * Windows over the numbers of `readings`. Where several series fall in one window and have a point at its
 * first or last time, `first` and `last` are the highest of these, as in InfluxQL.
 */
export async function queryWindows(reader: Reader, query: WindowsQuery): Promise<Windows> {
  const { fromNs, toNs, fill, functions, by } = query;
  const spans = windowSpans(query);
  const wanted = reader.series.select(query).filter(({ type }) => type === 'float');
  if (wanted.length === 0 || spans.length === 0) return [];
  const { groups, groupOfSeries } = groupSeries(wanted, by);
  const shape = { functions, spans: spansWithData(reader, spans, wanted), wanted, groupOfSeries };
  if (shape.spans.length === 0) return [];
  const columns = [...neededParts(functions), ...functions.filter((fn) => !isMergeable(fn))];
  let rows = new AnswerRows([]);
  const run = (isHuge: boolean) =>
    reader.run(
      () => {
        rows = new AnswerRows(columns.map(() => null));
        return buildStatement(reader, { fromNs, toNs }, { ...shape, isHuge });
      },
      (chunk) => rows.add(chunk),
    );
  await run(false).catch((error: unknown) => {
    // The only aggregate that refuses large numbers; scaling costs the precision of small ones.
    if (/STDDEV_SAMP is out of range/.test(messageOf(error))) return run(true);
    throw error;
  });
  const found = rows.groups.map(
    ({ position, rows: own }) => new WindowRows(groups[position]!, own, functions),
  );
  return fillWindows({ groups: found, spans, fill, functions });
}

/** Partitions that lie in one window as a whole are not read, but what is known of their sums. */
function buildStatement(reader: Reader, range: Range, shape: Shape): Statement | undefined {
  const { layout, series } = reader;
  const { functions, spans, wanted } = shape;
  const query = { type: 'float', wanted, ...range } as const;
  if (!functions.every(isMergeable)) {
    const source = buildSource(layout, series, query);
    return source && wholeStatement(source, shape);
  }
  const summed = summedPartitions(layout.of('float'), { ...storableRange(range), spans });
  const source = buildSource(layout, series, { ...query, except: summed });
  if (source === undefined && summed.size === 0) return undefined;
  return mergedStatement({ source, summed, ids: wantedSeries(series, query) }, shape);
}

/** The part of the spans where there may be points: the ends of a query may be beyond 64 bits. */
function spansWithData(
  reader: Reader,
  spans: readonly WindowSpan[],
  wanted: readonly Series[],
): WindowSpan[] {
  const firstNs = earliestNs(reader.layout);
  const lastNs = wanted.reduce((last, { lastTimeNs }) => (lastTimeNs > last ? lastTimeNs : last), firstNs);
  return spans
    .filter(({ startNs, endNs }) => endNs > firstNs && startNs <= lastNs)
    .map(({ startNs, endNs, everyNs }) => {
      const skipped = startNs < firstNs ? (firstNs - startNs) / everyNs : 0n;
      return { startNs: startNs + skipped * everyNs, endNs, everyNs };
    });
}

/** Groups in the order of the answer, and for each series the position of its group. */
function groupSeries(
  wanted: readonly Series[],
  by: readonly WindowTag[],
): { groups: WindowGroup[]; groupOfSeries: number[] } {
  const known = new Map<string, { group: WindowGroup; members: number[] }>();
  wanted.forEach(({ metric, tagSet }, position) => {
    const group: WindowGroup = { metric };
    if (by.includes('sensor')) group.sensor = tagSet.sensor;
    if (by.includes('location')) group.location = tagSet.location ?? null;
    const key = JSON.stringify([group.metric, group.sensor, group.location]);
    const entry = known.get(key) ?? { group, members: [] };
    entry.members.push(position);
    known.set(key, entry);
  });
  const entries = [...known.values()].sort((a, b) => compareGroups(a.group, b.group, by));
  const groupOfSeries: number[] = [];
  entries.forEach(({ members }, index) => {
    for (const position of members) groupOfSeries[position] = index;
  });
  return { groups: entries.map(({ group }) => group), groupOfSeries };
}

function compareGroups(a: WindowGroup, b: WindowGroup, by: readonly WindowTag[]): number {
  let order = compareText(a.metric, b.metric);
  for (const tag of by) order ||= compareText(a[tag] ?? '', b[tag] ?? '');
  return order;
}

interface Range {
  /** Inclusive. */
  fromNs: bigint;
  /** Exclusive. */
  toNs: bigint;
}

/** What windows are made of: points, and sums of partitions, each with the start of its window. */
interface Base {
  source: Source | undefined;
  summed: ReadonlyMap<Partition, bigint>;
  /** The series that are wanted of the sums. */
  ids: { condition: string; parameters: Parameters };
}

interface Shape {
  functions: readonly WindowFunction[];
  spans: readonly WindowSpan[];
  wanted: readonly Series[];
  groupOfSeries: readonly number[];
  /** True when the stddev of numbers beyond 1e150 is asked for, whose squares are beyond a double. */
  isHuge: boolean;
}

/** Aggregates each series, then the series of each group: the bulk of the work needs no join. */
function mergedStatement({ source, summed, ids }: Base, shape: Shape): Statement {
  const parts = neededParts(shape.functions);
  const innerParts = [...new Set(parts.flatMap((part) => partsOfParts[part] ?? [part]))];
  const names = innerParts.map((part) => `"${part}"`).join(', ');
  const rows: string[] = [];
  const parameters = groupParameters(shape);
  if (source !== undefined) {
    const start = windowStart(shape.spans);
    Object.assign(parameters, start.parameters, source.parameters);
    rows.push(
      `SELECT series, ${start.sql} AS start, ${columnsOf(innerParts, partOfSeries)}
       FROM ${source.sql} GROUP BY series, start`,
    );
  }
  if (summed.size > 0) Object.assign(parameters, ids.parameters);
  for (const [{ sums }, startNs] of summed) {
    const start = `summed${rows.length}`;
    parameters[start] = [startNs, BIGINT];
    rows.push(
      `SELECT series, $${start} AS start, ${names} FROM ${quote(sums!.name)} WHERE TRUE${ids.condition}`,
    );
  }
  return {
    sql: `SELECT grp, start, ${columnsOf(parts, partOfParts)}
      FROM (${rows.join(' UNION ALL ')}) JOIN (SELECT unnest($ids) AS id, unnest($groups) AS grp) ON id = series
      GROUP BY grp, start ORDER BY grp, start LIMIT ${MAX_WINDOWS + 1}`,
    parameters,
  };
}

/** Aggregates all points of each group at once, which deviations, ranks and distinct counts need. */
function wholeStatement(source: Source, shape: Shape): Statement {
  const { functions, isHuge } = shape;
  const start = windowStart(shape.spans);
  const parameters = { ...source.parameters, ...start.parameters, ...groupParameters(shape) };
  const points = `SELECT grp, ${start.sql} AS start, time, value
    FROM ${source.sql} JOIN (SELECT unnest($ids) AS id, unnest($groups) AS grp) ON id = series`;
  const parts = neededParts(functions);
  const sums = [columnsOf(parts, partOfPoints)];
  if (functions.includes('stddev')) sums.push(`${isHuge ? hugeDeviation : 'stddev_samp(value)'} AS stddev`);
  const ranked = functions.filter((fn) => !isMergeable(fn) && fn !== 'stddev');
  const tables = [`(SELECT grp, start, ${sums.join(', ')} FROM (${points}) GROUP BY grp, start)`];
  if (ranked.length > 0) {
    const ranks = ranked.map((fn) => `${rankOf(fn, parameters)} AS "${fn}"`);
    tables.push(`(${countedValues(points, ranks.join(', '))})`);
  }
  const names = [...parts, ...functions.filter((fn) => !isMergeable(fn))].map((name) => `"${name}"`);
  return {
    sql: `SELECT grp, start, ${names.join(', ')} FROM ${tables.join(' JOIN ')} ${tables.length > 1 ? 'USING (grp, start)' : ''}
      ORDER BY grp, start LIMIT ${MAX_WINDOWS + 1}`,
    parameters,
  };
}

/** Different values are counted, which DuckDB can do on the disk; lists of all points would have to fit its memory. */
function countedValues(points: string, columns: string): string {
  return `SELECT grp, start, ${columns} FROM (
      SELECT *, sum(points) OVER (PARTITION BY grp, start ORDER BY value) AS upto,
        sum(points) OVER (PARTITION BY grp, start) AS total
      FROM (SELECT grp, start, value, count(*) AS points FROM (${points}) GROUP BY grp, start, value)
    ) GROUP BY grp, start`;
}

/** SQL over counted values. A percentile is the nearest rank, as in InfluxQL: `floor(n * p / 100 + 0.5)`, none for 0. */
function rankOf(fn: WindowFunction, parameters: Parameters): string {
  if (fn === 'distinct') return 'count(*)';
  const valueAt = (rank: string) => `min(value) FILTER (WHERE ${rank} BETWEEN 1 AND upto)`;
  if (fn === 'median') {
    const low = valueAt('(total + 1) // 2');
    return `${low} + (${valueAt('total // 2 + 1')} - ${low}) * 0.5`;
  }
  const name = `p${Object.keys(parameters).length}`;
  parameters[name] = [percentileOf(fn)!, DOUBLE];
  return valueAt(`CAST(floor(total * $${name} / 100.0 + 0.5) AS BIGINT)`);
}

// 2^-512: an exact factor whose square keeps any double's square in range.
const hugeDeviation = `CASE WHEN max(abs(value)) < 1e150 THEN stddev_samp(CASE WHEN abs(value) < 1e150 THEN value END)
  ELSE stddev_samp(value * pow(2, -512)) * pow(2, 512) END`;

function groupParameters({ wanted, groupOfSeries }: Shape): Parameters {
  return {
    ids: [listValue(wanted.map(({ id }) => id)), LIST(INTEGER)],
    groups: [listValue(groupOfSeries), LIST(INTEGER)],
  };
}

/** SQL for the start of a time's window. */
function windowStart(spans: readonly WindowSpan[]): { sql: string; parameters: Parameters } {
  const parameters: Parameters = {};
  const cases = spans.map(({ startNs, endNs, everyNs }, index) => {
    parameters[`start${index}`] = [startNs, BIGINT];
    const isOne = endNs - startNs === everyNs;
    if (!isOne) parameters[`every${index}`] = [everyNs, BIGINT];
    const start = isOne
      ? `$start${index}`
      : `$start${index} + (time - $start${index}) // $every${index} * $every${index}`;
    if (index === spans.length - 1) return { start, condition: 'TRUE' };
    parameters[`end${index}`] = [endNs, BIGINT];
    return { start, condition: `time < $end${index}` };
  });
  if (cases.length === 1) return { sql: `(${cases[0]!.start})`, parameters };
  const branches = cases.map(({ condition, start }) => `WHEN ${condition} THEN ${start}`);
  return { sql: `(CASE ${branches.join(' ')} END)`, parameters };
}
