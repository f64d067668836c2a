import { metricOfField, type PointColumns, type Reading, tagsOf } from '@tidemark/core';
import type { Definition, Sample } from './definitions.ts';

/** What the definition takes of the point at `index`; undefined when the reading lacks an input. */
export function sampleOfPoint(
  definition: Definition,
  points: PointColumns,
  index: number,
): Sample | undefined {
  const { inputs } = definition;
  const by = definition.kind === 'pair' ? definition.by : undefined;
  const values: number[] = new Array(inputs.length).fill(Number.NaN);
  let found = 0;
  let key: string | undefined;
  const end = points.fieldEndOf(index);
  for (let field = points.firstFieldOf(index); field < end; field++) {
    const name = points.fieldAt(field);
    const value = points.valueAt(field);
    if (by !== undefined && metricOfField(name, typeof value === 'string') === by) key = String(value);
    if (typeof value !== 'number') continue;
    const at = inputs.indexOf(name);
    if (at === -1) continue;
    values[at] = value;
    found++;
  }
  if (found < inputs.length || (by !== undefined && key === undefined)) return undefined;
  return { timeNs: points.times.at(index), values, tags: points.tagsOf(index), key };
}

/** What the definition takes of a stored reading; undefined when it lacks an input. */
export function sampleOfReading(
  definition: Definition,
  { sensor, location, timeNs, values }: Reading,
): Sample | undefined {
  const byName = new Map(values);
  const taken: number[] = [];
  for (const input of definition.inputs) {
    const value = byName.get(input);
    if (typeof value !== 'number') return undefined;
    taken.push(value);
  }
  const by = definition.kind === 'pair' ? definition.by : undefined;
  const key = by === undefined ? undefined : byName.get(by);
  if (by !== undefined && key === undefined) return undefined;
  return {
    timeNs,
    values: taken,
    tags: tagsOf(sensor, location),
    key: key === undefined ? undefined : String(key),
  };
}

/** The metrics that a definition asks the store for. */
export function metricsOf(definition: Definition): string[] {
  const by = definition.kind === 'pair' ? definition.by : undefined;
  return by === undefined ? [...definition.inputs] : [...definition.inputs, by];
}
