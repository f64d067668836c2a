import { metricOfField, type Point, type Tag } from '@tidemark/core';
import type { PointsQuery } from '../engine.ts';
import type { Connection } from './connection.ts';
import { filterConditions } from './influxql.ts';
import { decodeName, encodeName } from './names.ts';
import { type Columns, pagesOf, refuseClashing } from './pages.ts';
import { loadFields, loadTagKeys } from './schema.ts';

/** Fields of one statement: each brings a column of null cells to the rows of the others. */
const maxColumns = 100;

/** All points that match, measurement by measurement, some fields at a time. */
export async function* queryPoints(
  connection: Connection,
  query: PointsQuery,
): AsyncGenerator<readonly Point[]> {
  const conditions = filterConditions(query);
  for (const measurement of new Set(query.measurements)) {
    const columns = await columnsOf(connection, measurement, query.metrics);
    refuseClashing(columns);
    for (let start = 0; start < columns.fields.length; start += maxColumns) {
      const some = { ...columns, fields: columns.fields.slice(start, start + maxColumns) };
      const range = { fromNs: query.fromNs, toNs: query.toNs, conditions };
      for await (const page of pagesOf(connection, some, range)) yield page.map(decoded);
    }
  }
}

async function columnsOf(
  connection: Connection,
  measurement: string,
  metrics: readonly string[] | undefined,
): Promise<Columns> {
  const wanted = metrics === undefined || metrics.length === 0 ? undefined : new Set(metrics);
  const name = encodeName(measurement);
  const known = await loadFields(connection, name);
  const fields = known.filter(
    ({ field, type }) =>
      wanted === undefined || wanted.has(field) || wanted.has(metricOfField(field, type === 'string')),
  );
  return {
    measurement: name,
    fields: fields.map(({ field, type }) => ({ field: encodeName(field), type })),
    tags: await loadTagKeys(connection, name),
  };
}

function decoded({ measurement, tags, fields, timeNs }: Point): Point {
  return {
    measurement: decodeName(measurement),
    tags: tags.map(([key, value]): Tag => [decodeName(key), decodeName(value)]).sort(byKey),
    fields: fields.map(([key, value]) => [decodeName(key), value]),
    timeNs,
  };
}

function byKey([one]: Tag, [other]: Tag): number {
  return one < other ? -1 : Number(one > other);
}
