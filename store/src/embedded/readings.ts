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
import { earliestNs } from './layout.ts';
import type { Reader } from './reader.ts';
import { valueTypes } from './schema.ts';
import type { Series, SeriesIndex } from './series.ts';

/** One value of a reading. */
interface Row {
  series: Series;
  timeNs: bigint;
  value: MetricValue;
}

interface Slice {
  fromNs: bigint;
  toNs: bigint;
}

const FIRST_SLICE_NS = 3_600_000_000_000n;
const SLICE_GROWTH = 8n;

/**
 * Readings in order. The range is read in slices that grow from the end where the answer begins, so that
 * a limit is reached without reading all there is.
 */
export async function queryReadings(reader: Reader, query: ReadingsQuery): Promise<Reading[]> {
  const wanted = reader.series.select(query);
  const byType = new Map(fieldTypes.map((type) => [type, wanted.filter((series) => series.type === type)]));
  const compare = compareRows(query.order);
  const found: Reading[] = [];
  for (const slice of slicesOf(reader, wanted, query)) {
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

function* slicesOf(reader: Reader, wanted: readonly Series[], query: ReadingsQuery): Generator<Slice> {
  const { order, after } = query;
  const firstNs = earliestNs(reader.layout);
  const endNs = wanted.reduce((end, { lastTimeNs }) => (lastTimeNs >= end ? lastTimeNs + 1n : end), firstNs);
  let fromNs = larger(query.fromNs, firstNs);
  let toNs = smaller(query.toNs, endNs);
  if (after !== undefined && order === 'asc') fromNs = larger(fromNs, after.timeNs);
  if (after !== undefined && order === 'desc') toNs = smaller(toNs, after.timeNs + 1n);
  let lengthNs = FIRST_SLICE_NS;
  while (fromNs < toNs) {
    if (order === 'asc') {
      const middleNs = smaller(fromNs + lengthNs, toNs);
      yield { fromNs, toNs: middleNs };
      fromNs = middleNs;
    } else {
      const middleNs = larger(toNs - lengthNs, fromNs);
      yield { fromNs: middleNs, toNs };
      toNs = middleNs;
    }
    lengthNs *= SLICE_GROWTH;
  }
}

interface RowsQuery {
  query: ReadingsQuery;
  type: FieldType;
  series: readonly Series[];
  slice: Slice;
  found: readonly Reading[];
}

/**
 * The rows of one type that the missing readings can consist of. Rows are limited by time alone: each
 * reading has at most as many as its sensor has series, and at the two times where the order between
 * sensors matters (the last one, and that of `after`) each series has at most one row.
 */
async function readRows(reader: Reader, { query, type, series, slice, found }: RowsQuery): Promise<Row[]> {
  const limit = (query.limit - found.length) * mostPerSensor(series) + 2 * series.length;
  const rows: Row[] = [];
  await reader.read(
    { type, wanted: series, ...slice },
    ({ sql }) => ({
      sql: `SELECT series, time, value FROM ${sql} ORDER BY time ${query.order} LIMIT ${limit}`,
    }),
    ([ids = [], times = [], values = []]) => {
      for (let row = 0; row < ids.length; row++) {
        rows.push({
          series: reader.series.byId(ids[row] as number),
          timeNs: times[row] as bigint,
          value: toMetricValue(valueTypes[type].fromStore(values[row]!)),
        });
      }
    },
  );
  return rows;
}

function mostPerSensor(series: readonly Series[]): number {
  const counts = new Map<string, number>();
  let most = 0;
  for (const { tagSet } of series) {
    const count = (counts.get(tagSet.sensor) ?? 0) + 1;
    counts.set(tagSet.sensor, count);
    if (count > most) most = count;
  }
  return most;
}

function compareRows(order: 'asc' | 'desc'): (a: Row, b: Row) => number {
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
function* groupRows(rows: readonly Row[]): Generator<Reading> {
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

function larger(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

function smaller(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
