import { type JsonPath, type Mapping, type Placeholders, parseJsonPath, valueAt } from '@tidemark/core';
import type { DraftReading, Fault, Limits } from '../decoders/decoded.ts';
import { addValue, byReason, dropTextThatCollides, nameProblem, type Problem } from '../decoders/fields.ts';
import { flatten, isContainer } from './flatten.ts';
import { compileTime, type ReadTime } from './message-time.ts';
import { Selection } from './selection.ts';
import { compileTemplate, type Render } from './template.ts';

/** One value of a message, on its way to a reading. */
export interface Part {
  root: unknown;
  /** Position in the message, from 0. */
  index: number;
  /** What is kept of it when it is refused; undefined: the whole message. */
  raw: unknown;
}

/** Makes readings of what was parsed, as a mapping says. */
export class ReadingMapper {
  readonly #limits: Limits;
  readonly #sensor: Render;
  readonly #sensorText: string;
  readonly #location: Render | undefined;
  readonly #time: ReadTime;
  readonly #prefix: Render | undefined;
  readonly #conditions: readonly { path: JsonPath; accepted: readonly unknown[] }[];
  /** Where the values are that have their names from the message; undefined: nowhere. */
  readonly #values: JsonPath | undefined;
  readonly #metrics: readonly { name: Render; path: JsonPath; text: string }[];
  readonly #selection: Selection;

  constructor(mapping: Mapping, limits: Limits) {
    const { sensor = '{sensor}', location, time, when = {}, prefix, metrics, values } = mapping;
    this.#limits = limits;
    this.#sensor = compileTemplate(sensor);
    this.#sensorText = sensor;
    const { topic } = mapping;
    const place = location ?? (topic.includes('{location}') ? '{location}' : undefined);
    this.#location = place === undefined ? undefined : compileTemplate(place);
    this.#time = compileTime(time);
    this.#prefix = prefix === undefined ? undefined : compileTemplate(prefix);
    this.#conditions = Object.entries(when).map(([path, accepted]) => ({
      path: pathOf(path),
      accepted: Array.isArray(accepted) ? accepted : [accepted],
    }));
    this.#values = values === undefined && metrics !== undefined ? undefined : pathOf(values ?? '$');
    this.#metrics = Object.entries(metrics ?? {}).map(([name, path]) => ({
      name: compileTemplate(name),
      path: pathOf(path),
      text: path,
    }));
    this.#selection = new Selection(mapping, usedNames([sensor, location, time], this.#values ?? []));
  }

  /** The reading that a part of a message is; undefined when it is none, and why, if that is a fault, in `faults`. */
  map({ root, index, raw }: Part, placeholders: Placeholders, faults: Fault[]): DraftReading | undefined {
    if (!this.#conditions.every(({ path, accepted }) => accepted.includes(valueAt(root, path))))
      return undefined;
    const found = this.#sensor(placeholders, root);
    const sensor = found ?? '';
    const reading: DraftReading = { index, sensor, location: undefined, timeNs: undefined, values: [], raw };
    const problems: Problem[] = [];
    const fatal = found === undefined ? this.#noSensor() : this.#fill(reading, root, placeholders, problems);
    for (const problem of fatal ? [fatal] : byReason(problems))
      faults.push({ index, sensor, raw, ...problem });
    return fatal === undefined && reading.values.length > 0 ? reading : undefined;
  }

  /** What costs the reading is returned; what is wrong with one value goes to `problems`. */
  #fill(
    reading: DraftReading,
    root: unknown,
    placeholders: Placeholders,
    problems: Problem[],
  ): Problem | undefined {
    const sensorProblem = nameProblem(reading.sensor);
    if (sensorProblem !== undefined) return { reason: 'bad_sensor', detail: `sensor ${sensorProblem}` };
    reading.location = this.#location?.(placeholders, root);
    const locationProblem = reading.location === undefined ? undefined : nameProblem(reading.location);
    if (locationProblem !== undefined)
      return { reason: 'bad_location', detail: `location ${locationProblem}` };
    const timeNs = this.#time(root);
    if (typeof timeNs === 'object') return timeNs;
    reading.timeNs = timeNs;
    const missing =
      this.#addMetrics(reading, root, placeholders, problems) ??
      this.#addValues(reading, root, placeholders, problems);
    if (missing !== undefined) return missing;
    if (reading.values.length > this.#limits.maxFieldsPerReading) return this.#tooMany();
    if (reading.values.length > 1) dropTextThatCollides(reading, problems);
    return undefined;
  }

  /** A device need not report all of them at once, but one. */
  #addMetrics(
    reading: DraftReading,
    root: unknown,
    placeholders: Placeholders,
    problems: Problem[],
  ): Problem | undefined {
    for (const { name, path } of this.#metrics) {
      const value = valueAt(root, path);
      const metric = name(placeholders, root);
      if (value !== undefined && value !== null && metric !== undefined)
        this.#add(reading, this.#selection.as(metric), value, problems);
    }
    const isNothing = reading.values.length === 0 && problems.length === 0;
    if (this.#values !== undefined || !isNothing) return undefined;
    const paths = this.#metrics.map(({ text }) => text).join(', ');
    return { reason: 'missing_value', detail: `the message has nothing at ${paths}` };
  }

  #addValues(
    reading: DraftReading,
    root: unknown,
    placeholders: Placeholders,
    problems: Problem[],
  ): Problem | undefined {
    if (this.#values === undefined) return undefined;
    const values = valueAt(root, this.#values);
    if (!isContainer(values)) return notThere(this.#values, values);
    if (Object.keys(values).length === 0)
      return { reason: 'empty', detail: 'there is no value in the message' };
    const { maxFieldsPerReading } = this.#limits;
    const isComplete = flatten(
      values,
      this.#prefix?.(placeholders, root) ?? '',
      (name, value) => {
        const chosen = this.#selection.choose(name);
        if (chosen !== undefined) this.#add(reading, chosen, value, problems);
      },
      () => reading.values.length + problems.length > maxFieldsPerReading,
    );
    return isComplete ? undefined : this.#tooMany();
  }

  #add(
    reading: DraftReading,
    chosen: ReturnType<Selection['as']>,
    given: unknown,
    problems: Problem[],
  ): void {
    const { metric } = chosen;
    const found = this.#selection.valueOf(chosen, given);
    if ('reason' in found) problems.push(found);
    else if (reading.values.some(([name]) => name === metric))
      problems.push({ reason: 'bad_metric', detail: `two values of the message are metric ${metric}` });
    else addValue(reading, metric, found.value, problems);
  }

  #noSensor(): Problem {
    return {
      reason: 'bad_sensor',
      detail: `the message does not hold all of its sensor: ${this.#sensorText}`,
    };
  }

  #tooMany(): Problem {
    const { maxFieldsPerReading } = this.#limits;
    return {
      reason: 'too_many_fields',
      detail: `more values than the limit, which is ${maxFieldsPerReading}`,
    };
  }
}

function notThere(path: JsonPath, value: unknown): Problem {
  if (value === undefined || value === null)
    return { reason: 'missing_value', detail: `the message has nothing at $.${path.join('.')}` };
  return { reason: 'wrong_type', detail: 'expected an object of values' };
}

/** The names of fields that say whose the reading is, where, and when, as they are called among the values. */
function usedNames(settings: readonly (Mapping['time'] | string)[], values: JsonPath): string[] {
  const texts = settings.map((setting) => (typeof setting === 'object' ? setting.path : setting));
  return texts.flatMap((text) =>
    [...(text ?? '').matchAll(/\$[^{}]*/g)].flatMap(([found]) => {
      const path = parseJsonPath(found);
      const isBelow = typeof path !== 'string' && values.every((key, index) => key === path[index]);
      return isBelow ? [path.slice(values.length).join('_')] : [];
    }),
  );
}

function pathOf(text: string): JsonPath {
  const path = parseJsonPath(text);
  if (typeof path === 'string') throw new Error(`a path ${path}`);
  return path;
}
