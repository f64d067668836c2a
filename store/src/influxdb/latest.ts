import type { LatestValue, ReadingFilter } from '../engine.ts';
import { compareText } from '../order.ts';
import { metricValueOf, tagOf, timeOf } from './cells.ts';
import type { Connection, Series } from './connection.ts';
import { fieldExpression, fromReadings } from './influxql.ts';
import { loadMetrics, type MetricField } from './schema.ts';

/** Statements of one request; each is a scan of its own for the server. */
const maxStatements = 50;
/** Sensors × metrics of one answer. */
const maxRows = 1_000_000;
const always = { fromNs: -(2n ** 63n), toNs: 2n ** 63n };

/** The newest value of each sensor and metric; of several locations at that time the last in order. */
export async function queryLatest(connection: Connection, filter: ReadingFilter): Promise<LatestValue[]> {
  const fields = await loadMetrics(connection, filter.metrics);
  const newest = new Map<string, LatestValue>();
  for (let start = 0; start < fields.length; start += maxStatements) {
    const some = fields.slice(start, start + maxStatements);
    const statements = some.map(({ field, cast }) => {
      const source = fromReadings(always, filter);
      return `SELECT last(${fieldExpression(field, cast)})${source} GROUP BY "sensor", "location"`;
    });
    const answers = await connection.query(statements, maxRows);
    some.forEach((field, index) => {
      for (const latest of toLatest(answers[index] ?? [], field)) {
        const key = `${field.field}\n${latest.sensor}`;
        if (isNewer(latest, newest.get(key))) newest.set(key, latest);
      }
    });
  }
  return [...newest.values()].sort(
    (a, b) =>
      compareText(a.sensor, b.sensor) ||
      compareText(a.metric, b.metric) ||
      // A metric told as a number and as text is two: the number stands first.
      Number(typeof a.value === 'string') - Number(typeof b.value === 'string'),
  );
}

function toLatest(series: readonly Series[], { metric }: MetricField): LatestValue[] {
  return series.flatMap(({ tags, values: [row] }) => {
    const value = metricValueOf(row?.[1]);
    if (row === undefined || value === undefined) return [];
    const sensor = tagOf(tags.sensor) ?? '';
    return [{ sensor, location: tagOf(tags.location), metric, value, timeNs: timeOf(row[0]) }];
  });
}

function isNewer(latest: LatestValue, than: LatestValue | undefined): boolean {
  if (than === undefined || latest.timeNs !== than.timeNs) {
    return than === undefined || latest.timeNs > than.timeNs;
  }
  return compareText(latest.location ?? '', than.location ?? '') > 0;
}
