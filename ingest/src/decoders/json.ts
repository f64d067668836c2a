import { isUtf8 } from 'node:buffer';
import { messageOf, parseJson } from '@tidemark/core';
import {
  type Decoded,
  type DraftReading,
  decodedReadings,
  type Fault,
  type Limits,
  onlyFault,
} from './decoded.ts';
import { decodeFields, isOwnKey, nameProblem, preview, readValue } from './fields.ts';

/** `sensors/<sensor>`: an object of metrics, or an array of such objects. */
export function decodeSensorMessage(sensor: string, payload: Buffer, limits: Limits): Decoded {
  const parsed = parsePayload(payload, sensor);
  if ('faults' in parsed) return parsed;
  const { value } = parsed;
  if (!Array.isArray(value)) return decodeOne(value, sensor, limits);
  return (
    lengthFault(value, sensor, limits) ??
    decodeEach(value, (item, index, faults) => {
      if (isObject(item)) return decodeFields(item, sensor, index, item, limits, faults);
      faults.push({ index, reason: 'wrong_type', detail: notAnObject(item), sensor, raw: item });
      return undefined;
    })
  );
}

/** What refuses an array as a whole. */
export function lengthFault(
  { length }: readonly unknown[],
  sensor: string,
  limits: Limits,
): Decoded | undefined {
  const { maxReadingsPerMessage: most } = limits;
  if (length === 0) return onlyFault('empty', 'the array is empty', sensor);
  if (length <= most) return undefined;
  return onlyFault('too_many_readings', `${length} readings; the limit is ${most}`, sensor);
}

/** `sensors/<sensor>/<metric>`: a number, boolean or string, or `{"value": …, "time": …}`. */
export function decodeMetricMessage(
  sensor: string,
  metric: string,
  payload: Buffer,
  limits: Limits,
): Decoded {
  const parsed = parsePayload(payload, sensor);
  if ('faults' in parsed) return parsed;
  const problem = isOwnKey(metric) ? 'has a name that a reading uses for itself' : nameProblem(metric);
  if (problem) return onlyFault('bad_metric', `metric ${problem}`, sensor);
  const { value } = parsed;
  if (Array.isArray(value))
    return onlyFault(value.length === 0 ? 'empty' : 'wrong_type', 'expected a value, not an array', sensor);
  const fields = isObject(value) ? fieldsOfValueObject(value, metric) : { [metric]: value };
  if (fields === undefined) return onlyFault('missing_value', 'the object has no "value"', sensor);
  return decodeWhole(fields, sensor, limits);
}

/** Readings that were parsed already: `{"sensor", "location", "time", "<metric>": value}`, flat. */
export function decodeItems(items: readonly unknown[], limits: Limits): Decoded {
  return decodeEach(items, (item, index, faults) => {
    if (!isObject(item)) {
      faults.push({ index, reason: 'wrong_type', detail: notAnObject(item), raw: item });
      return undefined;
    }
    const { sensor } = item as { sensor?: unknown };
    if (typeof sensor === 'string') return decodeFields(item, sensor, index, item, limits, faults);
    faults.push({ index, reason: 'bad_sensor', detail: 'sensor is missing or no string', raw: item });
    return undefined;
  });
}

/** Flat readings that name their sensor: one object, or an array of them. */
export function decodeItemMessage(payload: Buffer, limits: Limits): Decoded {
  const parsed = parsePayload(payload);
  if ('faults' in parsed) return parsed;
  const items = [parsed.value].flat();
  if (items.length === 0) return onlyFault('empty', 'the array is empty');
  const { maxReadingsPerMessage } = limits;
  if (items.length <= maxReadingsPerMessage) return decodeItems(items, limits);
  return onlyFault('too_many_readings', `${items.length} readings; the limit is ${maxReadingsPerMessage}`);
}

function decodeEach(
  items: readonly unknown[],
  decode: (item: unknown, index: number, faults: Fault[]) => DraftReading | undefined,
): Decoded {
  const faults: Fault[] = [];
  const readings = items.map((item, index) => decode(item, index, faults));
  return decodedReadings(
    readings.filter((reading) => reading !== undefined),
    faults,
  );
}

/** One object that is the whole message. */
function decodeWhole(object: object, sensor: string, limits: Limits): Decoded {
  const faults: Fault[] = [];
  const reading = decodeFields(object, sensor, 0, undefined, limits, faults);
  return decodedReadings(reading ? [reading] : [], faults);
}

export function notAnObject(item: unknown): string {
  return `expected an object, not ${preview(item)}`;
}

function decodeOne(value: unknown, sensor: string, limits: Limits): Decoded {
  if (!isObject(value)) {
    const { reason, detail } = faultOfBareValue(value);
    return onlyFault(reason, detail, sensor);
  }
  return decodeWhole(value, sensor, limits);
}

/** A bare value on a topic that names no metric. */
function faultOfBareValue(value: unknown): { reason: 'not_finite' | 'wrong_type'; detail: string } {
  const read = readValue('the value', value);
  if (typeof read === 'object' && read.reason === 'not_finite')
    return { reason: 'not_finite', detail: read.detail };
  return { reason: 'wrong_type', detail: `expected an object of metrics, not ${preview(value)}` };
}

function fieldsOfValueObject(object: object, metric: string): object | undefined {
  const keys = Object.keys(object);
  if (keys.length === 0) return object;
  if (!keys.includes('value')) return undefined;
  return Object.fromEntries(
    Object.entries(object).map(([key, value]) => [key === 'value' ? metric : key, value]),
  );
}

/** The value that a payload is; faults when it is no JSON. */
export function parsePayload(payload: Buffer, sensor?: string): { value: unknown } | Decoded {
  if (!isUtf8(payload)) return onlyFault('invalid_utf8', 'the payload is no UTF-8', sensor);
  const text = payload.toString('utf8');
  try {
    return { value: parseJson(text) };
  } catch (error) {
    const trimmed = text.trim();
    if (trimmed === '') return onlyFault('empty', 'the payload is empty', sensor);
    if (/^[-+]?(nan|inf|infinity)$/i.test(trimmed))
      return onlyFault('not_finite', `${trimmed} is no finite number`, sensor);
    return onlyFault('malformed_json', messageOf(error), sensor);
  }
}

export function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
