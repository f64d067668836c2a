import type { Field, FieldValue, Point, Tag, Uint64 } from './point.ts';

// Encoding of InfluxDB line protocol: https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/

/** One point as a line without its newline, time in nanoseconds. */
export function encodeLine(point: Point): string {
  return `${encodeSeriesKey(point.measurement, point.tags)} ${encodeFields(point.fields)} ${point.timeNs}`;
}

/** `measurement,tag=value,…` with tags in the order given: the identity of a series, and a line's head. */
export function encodeSeriesKey(measurement: string, tags: readonly Tag[]): string {
  let key = escapeMeasurement(measurement);
  for (const [name, value] of tags) key += `,${escapeKey(name)}=${escapeKey(value)}`;
  return key;
}

/** `field=value,…` */
export function encodeFields(fields: readonly Field[]): string {
  let text = '';
  for (const [name, value] of fields) {
    text += `${text === '' ? '' : ','}${escapeKey(name)}=${encodeValue(value)}`;
  }
  return text;
}

function encodeValue(value: FieldValue): string {
  switch (typeof value) {
    case 'number':
      // -0 prints as 0 in JavaScript; the sign is part of the value.
      return Object.is(value, -0) ? '-0' : String(value);
    case 'bigint':
      return `${value}i`;
    case 'boolean':
      return value ? 'true' : 'false';
    case 'string':
      return `"${/["\\]/.test(value) ? value.replace(/["\\]/g, '\\$&') : value}"`;
    default:
      return `${(value as Uint64).value}u`;
  }
}

function escapeMeasurement(text: string): string {
  return /[, ]/.test(text) ? text.replace(/[, ]/g, '\\$&') : text;
}

function escapeKey(text: string): string {
  return /[,= ]/.test(text) ? text.replace(/[,= ]/g, '\\$&') : text;
}
