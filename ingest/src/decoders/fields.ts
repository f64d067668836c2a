import { idProblem, type MetricValue, parseTime, stringifyJson, TEXT_SUFFIX } from '@tidemark/core';
import type { DraftReading, Fault, Limits } from './decoded.ts';

const ownKeys = new Set(['id', 'sensor', 'location', 'time', 'timestamp', 'ts']);
/** Names found valid before, so that the hot path checks each only once. Bounded: cleared when full. */
const validNames = new Set<string>();
const MAX_VALID_NAMES = 10_000;

export type Problem = Pick<Fault, 'reason' | 'detail'>;

/**
 * Reads `{"temperature": 21.5, "location": …, "time": …}`. Bad values cost the reading nothing else, and are one
 * fault for each reason; a bad sensor, location or time costs the whole reading.
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
  for (const problem of fatal ? [fatal] : byReason(problems)) faults.push({ index, ...problem, sensor, raw });
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
  // Values are counted whether good or bad, and before they are looked at.
  const count =
    names.length > limits.maxFieldsPerReading ? names.filter((name) => !isOwnKey(name)).length : 0;
  if (count > limits.maxFieldsPerReading) {
    return {
      reason: 'too_many_fields',
      detail: `${count} values; the limit is ${limits.maxFieldsPerReading}`,
    };
  }
  for (const name of names) {
    const value: unknown = (object as Record<string, unknown>)[name];
    const problem = isOwnKey(name) ? setOwn(reading, name, value) : addValue(reading, name, value, problems);
    if (problem) return problem;
  }
  if (reading.values.length > 1) dropTextThatCollides(reading, problems);
  if (reading.values.length > 0 || problems.length > 0) return undefined;
  if (names.length === 0) return { reason: 'empty', detail: 'the object is empty' };
  return { reason: 'missing_value', detail: 'the object holds no metric' };
}

/** Adds a value to a reading; what is wrong with it goes to `problems` instead. */
export function addValue(
  reading: DraftReading,
  name: string,
  value: unknown,
  problems: Problem[],
): undefined {
  const nameFault = nameProblem(name);
  const found = nameFault
    ? { reason: 'bad_metric' as const, detail: `metric ${nameFault}` }
    : readValue(name, value);
  if (typeof found === 'object') problems.push(found);
  // A literal has room for one and no more; an array that grows by push begins with room for 17.
  else if (reading.values.length === 0) reading.values = [[name, found]];
  else reading.values.push([name, found]);
}

/** The text of metric `a` is kept as `a_text`: where the reading has a number of that name too, the text goes. */
export function dropTextThatCollides(reading: DraftReading, problems: Problem[]): void {
  const { values } = reading;
  const collides = ([name, value]: DraftReading['values'][number]): boolean =>
    typeof value === 'string' &&
    values.some(([other, held]) => other === name + TEXT_SUFFIX && typeof held !== 'string');
  const texts = values.filter(collides);
  if (texts.length === 0) return;
  for (const [name] of texts)
    problems.push({
      reason: 'bad_metric',
      detail: `the text of ${name} is kept as ${name}${TEXT_SUFFIX}, which is a metric of its own here`,
    });
  reading.values = values.filter((value) => !collides(value));
}

/**
 * Each fault is kept with the whole payload, so a fault for every bad value would make a large message many
 * times as large.
 */
export function byReason(problems: readonly Problem[]): readonly Problem[] {
  if (problems.length < 2) return problems;
  const details = new Map<Problem['reason'], string[]>();
  for (const { reason, detail } of problems) details.set(reason, [...(details.get(reason) ?? []), detail]);
  return Array.from(details, ([reason, texts]) => ({ reason, detail: texts.join('; ') }));
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
      return setTime(reading, name, value);
  }
}

/** `time`, `timestamp` and `ts` mean the same; two that differ leave no way to know which is meant. */
export function setTime(
  reading: Pick<DraftReading, 'timeNs'>,
  name: string,
  value: unknown,
): Problem | undefined {
  const timeNs = parseTime(value);
  if (timeNs === undefined) return { reason: 'bad_time', detail: `${name} is no time: ${preview(value)}` };
  if (reading.timeNs !== undefined && reading.timeNs !== timeNs)
    return { reason: 'bad_time', detail: `${name} differs from another time in the reading` };
  reading.timeNs = timeNs;
  return undefined;
}

export function sensorProblem(sensor: string): Problem | undefined {
  const problem = nameProblem(sensor);
  return problem === undefined ? undefined : { reason: 'bad_sensor', detail: `sensor ${problem}` };
}

/** A metric's value, or why it is none. `undefined` in JSON terms does not exist; null is a missing value. */
export function readValue(name: string, value: unknown): MetricValue | Problem {
  switch (typeof value) {
    case 'number':
      if (Number.isNaN(value)) return { reason: 'not_finite', detail: `${name} is not a number (NaN)` };
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

/** The beginning of a value, for a message to a person. */
export function preview(value: unknown): string {
  const text = jsonOf(value) ?? 'a value nested too deeply to show';
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

/** The value as JSON; undefined when it is nested deeper than the stack: JSON.parse reads what JSON.stringify can't write. */
export function jsonOf(value: unknown): string | undefined {
  try {
    return stringifyJson(value) ?? 'nothing';
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function locationProblem(value: unknown): string | undefined {
  if (value === null) return undefined;
  return typeof value === 'string' ? nameProblem(value) : 'is no string';
}
