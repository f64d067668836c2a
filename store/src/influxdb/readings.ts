import type { MetricValue, Reading } from '@tidemark/core';
import type { ReadingFilter, ReadingKey, ReadingsQuery } from '../engine.ts';
import { compareText } from '../order.ts';
import { metricValueOf, tagOf, timeOf } from './cells.ts';
import type { Connection } from './connection.ts';
import { fieldExpression, fromReadings, type TimeRange } from './influxql.ts';
import { loadMetrics, type MetricField } from './schema.ts';

type Order = ReadingsQuery['order'];

/** Most rows of one request: a page, or all sensors at one instant. */
const maxRows = 1_000_000;
const maxStatements = 100;

interface Rows extends TimeRange {
  limit?: number;
}

/**
 * Readings in order. InfluxQL orders by time alone, so a page that may end among readings of one instant
 * takes all of that instant from a second query.
 */
export async function queryReadings(connection: Connection, query: ReadingsQuery): Promise<Reading[]> {
  const { order, limit, after } = query;
  const fields = query.fromNs < query.toNs ? await loadMetrics(connection, query.metrics) : [];
  if (fields.length === 0) return [];
  const fetch = async (rows: Rows) => {
    const [series = []] = await connection.query([select(fields, query, rows)], maxRows);
    return series.flatMap(({ values }) => values).map((row) => toReading(row, fields));
  };
  let range: TimeRange = { fromNs: query.fromNs, toNs: query.toNs };
  let found: Reading[] = [];
  if (after !== undefined) {
    const { timeNs } = after;
    if (timeNs >= range.fromNs && timeNs < range.toNs) {
      const ties = merge(await fetch({ fromNs: timeNs, toNs: timeNs + 1n }), order);
      const direction = order === 'asc' ? 1 : -1;
      found = ties.filter(({ sensor }) => compareText(sensor, after.sensor) * direction > 0);
    }
    range = beyond(range, timeNs, order);
  }
  while (found.length < limit && range.fromNs < range.toNs) {
    const wanted = Math.min(limit - found.length, maxRows);
    const page = await fetch({ ...range, limit: wanted });
    const last = page.at(-1);
    if (last === undefined || page.length < wanted) {
      found = found.concat(merge(page, order));
      break;
    }
    const { timeNs } = last;
    const whole = page.filter((reading) => reading.timeNs !== timeNs);
    const ties = await fetch({ fromNs: timeNs, toNs: timeNs + 1n });
    found = found.concat(merge(whole, order), merge(ties, order));
    range = beyond(range, timeNs, order);
  }
  return found.slice(0, limit);
}

/** Readings by what identifies them, with a statement for each and some of them in a request. */
export async function queryReadingsAt(
  connection: Connection,
  keys: readonly ReadingKey[],
): Promise<(Reading | undefined)[]> {
  const fields = await loadMetrics(connection, undefined);
  const found: (Reading | undefined)[] = [];
  if (fields.length === 0) return keys.map(() => undefined);
  for (let start = 0; start < keys.length; start += maxStatements) {
    const statements = keys
      .slice(start, start + maxStatements)
      .map(({ sensor, timeNs }) =>
        select(fields, { sensors: [sensor], order: 'asc' }, { fromNs: timeNs, toNs: timeNs + 1n }),
      );
    const answers = await connection.query(statements, maxRows);
    for (const series of answers) {
      const rows = series.flatMap(({ values }) => values).map((row) => toReading(row, fields));
      found.push(merge(rows, 'asc')[0]);
    }
  }
  return found;
}

function select(fields: readonly MetricField[], query: ReadingFilter & { order: Order }, rows: Rows): string {
  const columns = fields.map(({ field, cast }) => fieldExpression(field, cast)).join(', ');
  const limit = rows.limit === undefined ? '' : ` LIMIT ${rows.limit}`;
  const source = fromReadings(rows, query);
  return `SELECT ${columns}, "sensor"::tag, "location"::tag${source} ORDER BY time ${query.order.toUpperCase()}${limit}`;
}

function toReading(row: readonly unknown[], fields: readonly MetricField[]): Reading {
  const values: [string, MetricValue][] = [];
  fields.forEach(({ metric }, index) => {
    const value = metricValueOf(row[index + 1]);
    if (value !== undefined) values.push([metric, value]);
  });
  const [sensor, location] = row.slice(fields.length + 1);
  return { sensor: tagOf(sensor) ?? '', location: tagOf(location), timeNs: timeOf(row[0]), values };
}

/** Sorts, and joins what one sensor reported for one time at several locations; the last location stands. */
function merge(readings: Reading[], order: Order): Reading[] {
  const direction = order === 'asc' ? 1 : -1;
  readings.sort(
    (a, b) =>
      direction * (compareTimes(a.timeNs, b.timeNs) || compareText(a.sensor, b.sensor)) ||
      compareText(a.location ?? '', b.location ?? ''),
  );
  const merged: Reading[] = [];
  for (const reading of readings) {
    const last = merged.at(-1);
    if (last?.timeNs === reading.timeNs && last.sensor === reading.sensor) {
      merged[merged.length - 1] = {
        ...reading,
        values: [...new Map([...last.values, ...reading.values])],
      };
    } else {
      merged.push(reading);
    }
  }
  return merged;
}

function beyond({ fromNs, toNs }: TimeRange, timeNs: bigint, order: Order): TimeRange {
  if (order === 'asc') return { fromNs: timeNs >= fromNs ? timeNs + 1n : fromNs, toNs };
  return { fromNs, toNs: timeNs < toNs ? timeNs : toNs };
}

function compareTimes(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
