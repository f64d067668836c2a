import type { ParsedPoint } from './line-protocol-parse.ts';
import type { Field, FieldValue, Point, Tag, Uint64 } from './point.ts';
import { encodeSeriesKey, escapeKey } from './series-key.ts';

// Encoding of InfluxDB line protocol: https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/

/**
 * One point as a line without its newline, time in nanoseconds, as InfluxDB reads it. `head` is the point's own,
 * given so that callers can keep it.
 */
export function encodeLine(point: Point, head = encodeLineHead(point.measurement, point.tags)): string {
  return `${head} ${encodeFields(point.fields, escapeLineKey)} ${point.timeNs}`;
}

/**
 * One point as a line in which names are escaped as in a series key: any name survives the way through
 * `parseLines` with `escapes: 'all'`. `seriesKey` is the point's own, given so that callers can keep it.
 */
export function encodeExactLine(
  { measurement, tags, fields, timeNs }: ParsedPoint,
  seriesKey = encodeSeriesKey(measurement, tags),
): string {
  const line = `${seriesKey} ${encodeFields(fields, escapeKey)}`;
  return timeNs === undefined ? line : `${line} ${timeNs}`;
}

/** What a line begins with: the measurement and the tags, which all points of a series share. */
export function encodeLineHead(measurement: string, tags: readonly Tag[]): string {
  let head = /[, ]/.test(measurement) ? measurement.replace(/[, ]/g, '\\$&') : measurement;
  for (const [name, value] of tags) head += `,${escapeLineKey(name)}=${escapeLineKey(value)}`;
  return head;
}

function encodeFields(fields: readonly Field[], escapeName: (name: string) => string): string {
  let text = '';
  for (const [name, value] of fields) {
    text += `${text === '' ? '' : ','}${escapeName(name)}=${encodeValue(value)}`;
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

function escapeLineKey(text: string): string {
  return /[,= ]/.test(text) ? text.replace(/[,= ]/g, '\\$&') : text;
}
