import { type FieldType, fieldTypes, metricOfField, READINGS } from '@tidemark/core';
import type { Connection } from './connection.ts';
import type { Cast } from './influxql.ts';
import { quoteName } from './influxql.ts';
import { decodeName } from './names.ts';

export interface FieldInfo {
  measurement: string;
  field: string;
  type: FieldType;
}

/** A field of `readings`, and how it is read. */
export interface MetricField {
  field: string;
  metric: string;
  cast: Cast;
}

const maxFields = 1_000_000;

/** Fields of all measurements, or of one; a field with several types (in several shards) once for each. */
export async function loadFields(connection: Connection, measurement?: string): Promise<FieldInfo[]> {
  const from = measurement === undefined ? '' : ` FROM ${quoteName(measurement)}`;
  const [series = []] = await connection.query([`SHOW FIELD KEYS${from}`], maxFields);
  return series.flatMap(({ name, values }) =>
    values.flatMap(([field, type]) =>
      isFieldType(type) ? [{ measurement: decodeName(name), field: decodeName(String(field)), type }] : [],
    ),
  );
}

/** Names of the measurement's tags, as InfluxDB has them. */
export async function loadTagKeys(connection: Connection, measurement: string): Promise<string[]> {
  const [series = []] = await connection.query([`SHOW TAG KEYS FROM ${quoteName(measurement)}`], maxFields);
  return series.flatMap(({ values }) => values.map(([key]) => String(key)));
}

/** The fields of `readings` that hold the metrics, or all of them. */
export async function loadMetrics(
  connection: Connection,
  metrics: readonly string[] | undefined,
): Promise<MetricField[]> {
  const wanted = metrics === undefined || metrics.length === 0 ? undefined : new Set(metrics);
  const fields = new Map<string, MetricField>();
  for (const { field, type } of await loadFields(connection, READINGS)) {
    const metric = metricOfField(field, type === 'string');
    // Readings hold floats and text; a boolean there is somebody else's.
    if (type === 'boolean' || fields.has(field) || wanted?.has(metric) === false) continue;
    fields.set(field, { field, metric, cast: type === 'string' ? 'string' : 'float' });
  }
  return [...fields.values()];
}

function isFieldType(type: unknown): type is FieldType {
  return fieldTypes.some((known) => known === type);
}
