import { type Field, type Point, type Tag, tagOf } from './point.ts';
import { formatTime } from './time.ts';

/** The measurement that sensor readings are stored in. */
export const READINGS = 'readings';
/** What only the platform itself writes. */
const ownMeasurements = new Set([
  'alerts',
  'heartbeats',
  'location_state',
  'quality',
  'quarantine',
  'rule_thresholds',
  'sensor_metrics',
  'sensor_state',
]);
/** Text values go to `<metric>_text`, so that one device's text never poisons another's numbers. */
export const TEXT_SUFFIX = '_text';

/** What a metric can be told as; text is stored apart from numbers. */
export type MetricValue = number | boolean | string;

/** Named values that one sensor reports for one instant. Its identity is sensor + metric + time. */
export interface Reading {
  sensor: string;
  location: string | undefined;
  timeNs: bigint;
  /** At least one; names are unique; numbers are finite. */
  values: readonly (readonly [metric: string, value: MetricValue])[];
}

/** True for measurements that only the platform itself writes: a user's line must not pin their types. */
export function isOwnMeasurement(measurement: string): boolean {
  return ownMeasurements.has(measurement);
}

/** `<sensor>@<time in ns>`, the same on every store. */
export function readingId(sensor: string, timeNs: bigint): string {
  return `${sensor}@${timeNs}`;
}

/** The parts of a reading's id, or undefined when it is none. */
export function parseReadingId(id: string): { sensor: string; timeNs: bigint } | undefined {
  const match = /^(.+)@(-?\d{1,19})$/s.exec(id);
  return match ? { sensor: match[1]!, timeNs: BigInt(match[2]!) } : undefined;
}

/** The point a reading is stored as: measurement `readings`, tags `sensor` and `location`, booleans as 0/1. */
export function readingToPoint(reading: Reading): Point {
  const { sensor, location, values, timeNs } = reading;
  return { measurement: READINGS, tags: tagsOf(sensor, location), fields: fieldsOf(values), timeNs };
}

/** The tags of a sensor's readings, sorted. */
export function tagsOf(sensor: string, location: string | undefined): Tag[] {
  if (location === undefined) return [['sensor', sensor]];
  return [
    ['location', location],
    ['sensor', sensor],
  ];
}

/** A reading's values as they are stored: booleans as 0 and 1, text under a name of its own. */
export function fieldsOf(values: Reading['values']): readonly Field[] {
  return values.every(isNumber) ? (values as readonly Field[]) : values.map(toField);
}

/** The reading a point of measurement `readings` holds; text metrics get their own name back. */
export function pointToReading(point: Point): Reading {
  return {
    sensor: tagOf(point.tags, 'sensor') ?? '',
    location: tagOf(point.tags, 'location'),
    timeNs: point.timeNs,
    values: point.fields.map(([name, value]) => [
      metricOfField(name, typeof value === 'string'),
      value as MetricValue,
    ]),
  };
}

/** The metric that a stored field belongs to. */
export function metricOfField(field: string, isText: boolean): string {
  return isText && field.endsWith(TEXT_SUFFIX) ? field.slice(0, -TEXT_SUFFIX.length) : field;
}

/** A reading as the API shows it: flat, its id first. */
export function readingToJson(reading: Reading): Record<string, unknown> {
  const json: Record<string, unknown> = Object.assign(Object.create(null), {
    id: readingId(reading.sensor, reading.timeNs),
    sensor: reading.sensor,
    location: reading.location ?? null,
    time: formatTime(reading.timeNs),
  });
  for (const [metric, value] of reading.values) json[metric] = value;
  return json;
}

function isNumber([, value]: readonly [string, MetricValue]): boolean {
  return typeof value === 'number';
}

function toField([metric, value]: readonly [string, MetricValue]): Field {
  if (typeof value === 'string') return [metric + TEXT_SUFFIX, value];
  return [metric, typeof value === 'boolean' ? Number(value) : value];
}
