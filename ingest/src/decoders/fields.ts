import { idProblem, type MetricValue, parseTime } from '@tidemark/core';
import type { Decoded, DraftReading, Fault, Limits } from './decoded.ts';

const ownKeys = new Set(['id', 'sensor', 'location', 'time', 'timestamp', 'ts']);
/** Names found valid before, so that the hot path checks each only once. Bounded: cleared when full. */
const validNames = new Set<string>();
const MAX_VALID_NAMES = 10_000;

type Problem = Pick<Fault, 'reason' | 'detail'>;

/**
 * Reads `{"temperature": 21.5, "location": …, "time": …}` into `decoded`. A bad value is a fault of its own and
 * costs the reading nothing else; a bad sensor, location or time costs the whole reading.
 */
export function decodeFields(
  object: object,
  sensor: string,
  index: number,
  raw: unknown,
  limits: Limits,
  decoded: Decoded,
): void {
  const reading: DraftReading = { index, sensor, location: undefined, timeNs: undefined, values: [], raw };
  const problems: Problem[] = [];
  const fatal = sensorProblem(sensor) ?? fillReading(reading, object, limits, problems);
  for (const problem of fatal ? [fatal] : problems) decoded.faults.push({ index, ...problem, sensor, raw });
  if (!fatal && reading.values.length > 0) decoded.readings.push(reading);
}

/** Fills the reading; what is wrong with one value goes to `problems`, what costs the reading is returned. */
function fillReading(
  reading: DraftReading,
  object: object,
  limits: Limits,
  problems: Problem[],
): Problem | undefined {
  for (const name of Object.keys(object)) {
    const value: unknown = (object as Record<string, unknown>)[name];
    if (isOwnKey(name)) {
      const problem = setOwn(reading, name, value);
      if (problem) return problem;
      continue;
    }
    const nameFault = nameProblem(name);
    const found = nameFault
      ? { reason: 'bad_metric' as const, detail: `metric ${nameFault}` }
      : readValue(name, value);
    if (typeof found === 'object') problems.push(found);
    else reading.values.push([name, found]);
  }
  const { length } = reading.values;
  if (length > limits.maxFieldsPerReading) {
    return {
      reason: 'too_many_fields',
      detail: `${length} values; the limit is ${limits.maxFieldsPerReading}`,
    };
  }
  if (length > 0 || problems.length > 0) return undefined;
  if (Object.keys(object).length === 0) return { reason: 'empty', detail: 'the object is empty' };
  return { reason: 'missing_value', detail: 'the object holds no metric' };
}

/** True for the names that a flat reading uses for itself, which no metric can have. */
export function isOwnKey(name: string): boolean {
  return ownKeys.has(name);
}

function setOwn(reading: DraftReading, name: string, value: unknown): Problem | undefined {
  switch (name) {
    case 'id':
      return undefined;
    case 'sensor':
      if (value === reading.sensor) return undefined;
      return { reason: 'bad_sensor', detail: `the message names sensor ${preview(value)}` };
    case 'location': {
      const problem = locationProblem(value);
      if (problem) return { reason: 'bad_location', detail: `location ${problem}` };
      reading.location = (value as string | null) ?? undefined;
      return undefined;
    }
    default:
      reading.timeNs ??= parseTime(value);
      if (reading.timeNs !== undefined) return undefined;
      return { reason: 'bad_time', detail: `${name} is no time: ${preview(value)}` };
  }
}

function sensorProblem(sensor: string): Problem | undefined {
  const problem = nameProblem(sensor);
  return problem === undefined ? undefined : { reason: 'bad_sensor', detail: `sensor ${problem}` };
}

/** A metric's value, or why it is none. `undefined` in JSON terms does not exist; null is a missing value. */
export function readValue(name: string, value: unknown): MetricValue | Problem {
  switch (typeof value) {
    case 'number':
      return Number.isFinite(value) ? value : { reason: 'not_finite', detail: `${name} is beyond a double` };
    case 'boolean':
    case 'string':
      return value;
    case 'bigint': {
      const rounded = Number(value);
      return Number.isFinite(rounded)
        ? rounded
        : { reason: 'not_finite', detail: `${name} is beyond a double` };
    }
    default:
      if (value === null || value === undefined)
        return { reason: 'missing_value', detail: `${name} has no value` };
      return {
        reason: 'wrong_type',
        detail: `${name} is ${Array.isArray(value) ? 'an array' : 'an object'}, not a number, boolean or string`,
      };
  }
}

/** As idProblem, remembering names that are fine. */
export function nameProblem(name: string): string | undefined {
  if (validNames.has(name)) return undefined;
  const problem = idProblem(name);
  if (problem) return problem;
  if (validNames.size >= MAX_VALID_NAMES) validNames.clear();
  validNames.add(name);
  return undefined;
}

export function preview(value: unknown): string {
  const text = typeof value === 'bigint' ? String(value) : (JSON.stringify(value) ?? 'nothing');
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

function locationProblem(value: unknown): string | undefined {
  if (value === null) return undefined;
  return typeof value === 'string' ? nameProblem(value) : 'is no string';
}
