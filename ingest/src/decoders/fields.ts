import { idProblem, type MetricValue, parseTime } from '@tidemark/core';
import type { DraftReading, Fault, Limits } from './decoded.ts';

const ownKeys = new Set(['id', 'sensor', 'location', 'time', 'timestamp', 'ts']);
/** Names found valid before, so that the hot path checks each only once. Bounded: cleared when full. */
const validNames = new Set<string>();
const MAX_VALID_NAMES = 10_000;

type Problem = Pick<Fault, 'reason' | 'detail'>;

/**
 * Reads `{"temperature": 21.5, "location": …, "time": …}`. A bad value is a fault of its own and costs the
 * reading nothing else; a bad sensor, location or time costs the whole reading.
 */
export function decodeFields(
  object: object,
  sensor: string,
  index: number,
  raw: unknown,
  limits: Limits,
  faults: Fault[],
): DraftReading | undefined {
  const reading: DraftReading = { index, sensor, location: undefined, timeNs: undefined, values: [], raw };
  const problems: Problem[] = [];
  const fatal = sensorProblem(sensor) ?? fillReading(reading, object, limits, problems);
  for (const problem of fatal ? [fatal] : problems) faults.push({ index, ...problem, sensor, raw });
  return !fatal && reading.values.length > 0 ? reading : undefined;
}

/** Fills the reading; what is wrong with one value goes to `problems`, what costs the reading is returned. */
function fillReading(
  reading: DraftReading,
  object: object,
  limits: Limits,
  problems: Problem[],
): Problem | undefined {
  const names = Object.keys(object);
  for (const name of names) {
    const value: unknown = (object as Record<string, unknown>)[name];
    const problem = isOwnKey(name) ? setOwn(reading, name, value) : addValue(reading, name, value, problems);
    if (problem) return problem;
  }
  const { length } = reading.values;
  if (length > limits.maxFieldsPerReading) {
    return {
      reason: 'too_many_fields',
      detail: `${length} values; the limit is ${limits.maxFieldsPerReading}`,
    };
  }
  if (length > 0 || problems.length > 0) return undefined;
  if (names.length === 0) return { reason: 'empty', detail: 'the object is empty' };
  return { reason: 'missing_value', detail: 'the object holds no metric' };
}

function addValue(reading: DraftReading, name: string, value: unknown, problems: Problem[]): undefined {
  const nameFault = nameProblem(name);
  const found = nameFault
    ? { reason: 'bad_metric' as const, detail: `metric ${nameFault}` }
    : readValue(name, value);
  if (typeof found === 'object') problems.push(found);
  // A literal has room for one and no more; an array that grows by push begins with room for 17.
  else if (reading.values.length === 0) reading.values = [[name, found]];
  else reading.values.push([name, found]);
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
