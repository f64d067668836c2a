import type { DuckDBValue } from '@duckdb/node-api';
import {
  type FieldType,
  type FieldValue,
  fieldTypes,
  type MetricValue,
  type Reading,
  Uint64,
} from '@tidemark/core';
import type { LatestValue, ReadingFilter, ReadingsQuery } from '../engine.ts';
import { compareText } from '../order.ts';
import type { Columns } from './database.ts';
import { earliestNs } from './layout.ts';
import type { Reader } from './reader.ts';
import { larger, rowsWanted, type Slice, slicesOf } from './reading-slices.ts';
import { valueTypes } from './schema.ts';
import type { Series, SeriesIndex } from './series.ts';

/** One value of a reading. */
export interface Row {
  series: Series;
  timeNs: bigint;
  value: MetricValue;
}

/**
 * Readings in order. The range is read in slices that grow from the end where the answer begins, so that
 * a limit is reached without reading all there is.
 */
export async function queryReadings(reader: Reader, query: ReadingsQuery): Promise<Reading[]> {
  const wanted = reader.series.select(query);
  const newest = newestReading(wanted, query);
  if (newest !== undefined) return [newest];
  if (query.order === 'desc' || query.after !== undefined) return readSlices(reader, wanted, query);
  const first = query.limit === 1 ? reader.beginnings.first(query) : undefined;
  if (first !== undefined && first.timeNs >= query.fromNs && first.timeNs < query.toNs) return [first];
  return reader.beginnings.learn(query, async () => {
    const isFromStart = query.fromNs <= larger(reader.beginnings.of(query), earliestNs(reader.layout));
    const answer = await readSlices(reader, wanted, query);
    return { first: isFromStart ? answer[0] : undefined, answer };
  });
}

async function readSlices(
  reader: Reader,
  wanted: readonly Series[],
  query: ReadingsQuery,
): Promise<Reading[]> {
  const byType = new Map(fieldTypes.map((type) => [type, wanted.filter((series) => series.type === type)]));
  const compare = compareRows(query.order);
  const found: Reading[] = [];
  for await (const slice of slicesOf(reader, byType, query, found)) {
    const rows: Row[] = [];
    for (const [type, series] of byType) {
      if (series.length === 0) continue;
      // Not spread: a call takes some 100 000 arguments at most.
      for (const row of await readRows(reader, { query, type, series, slice, found })) rows.push(row);
    }
    for (const reading of groupRows(rows.sort(compare))) {
      if (found.length >= query.limit) return found;
      if (isAfter(reading, query)) found.push(reading);
    }
    if (found.length >= query.limit) break;
  }
  return found;
}

/** The newest value of each sensor and metric, from memory. */
export function latestValues(index: SeriesIndex, filter: ReadingFilter): LatestValue[] {
  const newest = new Map<string, Map<string, Series>>();
  for (const series of index.select(filter)) {
    const { sensor } = series.tagSet;
    let fields = newest.get(sensor);
    if (fields === undefined) {
      fields = new Map();
      newest.set(sensor, fields);
    }
    const other = fields.get(series.field);
    if (other === undefined || isNewer(series, other)) fields.set(series.field, series);
  }
  return [...newest.values()]
    .flatMap((fields) => [...fields.values()])
    .sort(compareLatest)
    .map(toLatest);
}

/** By sensor, then metric; the number of a metric before its text. */
function compareLatest(a: Series, b: Series): number {
  return (
    compareText(a.tagSet.sensor, b.tagSet.sensor) ||
    compareText(a.metric, b.metric) ||
    Number(a.type === 'string') - Number(b.type === 'string')
  );
}

function isNewer(a: Series, b: Series): boolean {
  return a.lastTimeNs > b.lastTimeNs || (a.lastTimeNs === b.lastTimeNs && compareLocations(a, b) > 0);
}

/** No location comes first. */
function compareLocations(a: Series, b: Series): number {
  return compareText(a.tagSet.location ?? '', b.tagSet.location ?? '');
}

function toLatest({ tagSet, metric, lastValue, lastTimeNs }: Series): LatestValue {
  const { sensor, location } = tagSet;
  return { sensor, location, metric, value: toMetricValue(lastValue), timeNs: lastTimeNs };
}

/** The answer where the newest reading of all is asked for: the newest point of each series is in memory. */
function newestReading(wanted: readonly Series[], query: ReadingsQuery): Reading | undefined {
  const { order, limit, after, fromNs, toNs } = query;
  if (order === 'asc' || limit !== 1 || after !== undefined) return undefined;
  let newestNs = fromNs - 1n;
  let rows: Row[] = [];
  for (const series of wanted) {
    const timeNs = series.lastTimeNs;
    if (timeNs < newestNs) continue;
    if (timeNs > newestNs) rows = [];
    newestNs = timeNs;
    rows.push({ series, timeNs, value: toMetricValue(series.lastValue) });
  }
  if (newestNs < fromNs || newestNs >= toNs) return undefined;
  const [newest] = groupRows(rows.sort(compareRows(order)));
  return newest;
}

interface RowsQuery {
  query: ReadingsQuery;
  type: FieldType;
  series: readonly Series[];
  slice: Slice;
  found: readonly Reading[];
}

/** The rows of one type that the missing readings can consist of. */
async function readRows(reader: Reader, { query, type, series, slice, found }: RowsQuery): Promise<Row[]> {
  const limit = rowsWanted(series, query.limit - found.length);
  const rows: Row[] = [];
  await reader.read(
    { type, wanted: series, ...slice },
    ({ sql }) => ({
      sql: `SELECT series, time, value FROM ${sql} ORDER BY time ${query.order} LIMIT ${limit}`,
    }),
    (columns) => pushRows(rows, reader.series, columns),
  );
  return rows;
}

/** Adds rows (series, time, value) of one type. */
export function pushRows(
  rows: Row[],
  index: SeriesIndex,
  [ids = [], times = [], values = []]: Columns,
): void {
  for (let row = 0; row < ids.length; row++) {
    rows.push(toRow(index.byId(ids[row] as number), times[row] as bigint, values[row]!));
  }
}

/** A row of a value as the store keeps it. */
export function toRow(series: Series, timeNs: bigint, value: DuckDBValue): Row {
  return { series, timeNs, value: toMetricValue(valueTypes[series.type].fromStore(value)) };
}

/** Rows by time, then sensor, then location. */
export function compareRows(order: 'asc' | 'desc'): (a: Row, b: Row) => number {
  const sign = order === 'asc' ? 1 : -1;
  return (a, b) => {
    if (a.timeNs !== b.timeNs) return a.timeNs < b.timeNs ? -sign : sign;
    return (
      sign * compareText(a.series.tagSet.sensor, b.series.tagSet.sensor) ||
      compareLocations(a.series, b.series)
    );
  };
}

/** Joins the values of one sensor at one time; of two locations, the later in order counts. */
export function* groupRows(rows: readonly Row[]): Generator<Reading> {
  for (let start = 0; start < rows.length; ) {
    const { timeNs, series } = rows[start]!;
    const { sensor } = series.tagSet;
    const values = new Map<string, MetricValue>();
    let location: string | undefined;
    let end = start;
    for (
      let row = rows[end];
      row?.timeNs === timeNs && row.series.tagSet.sensor === sensor;
      row = rows[++end]
    ) {
      values.set(row.series.metric, row.value);
      location = row.series.tagSet.location;
    }
    yield { sensor, location, timeNs, values: [...values] };
    start = end;
  }
}

function isAfter({ timeNs, sensor }: Reading, { after, order }: ReadingsQuery): boolean {
  if (after === undefined || timeNs !== after.timeNs) return true;
  const place = compareText(sensor, after.sensor);
  return order === 'asc' ? place > 0 : place < 0;
}

function toMetricValue(value: FieldValue): MetricValue {
  if (value instanceof Uint64) return Number(value.value);
  return typeof value === 'bigint' ? Number(value) : value;
}
