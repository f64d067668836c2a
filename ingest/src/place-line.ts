import {
  type Field,
  fieldTypeOf,
  idProblem,
  metricOfField,
  type Point,
  type Tag,
  TEXT_SUFFIX,
  tagOf,
} from '@tidemark/core';
import { convert } from '@tidemark/store';
import type { Fault } from './decoders/decoded.ts';
import type { Placeable, Placement } from './placement.ts';

/**
 * A line of measurement `readings` is a reading like any other: its sensor is asked for in the registry, and its
 * location is the registry's. Its further tags stay. Its fields are those of readings: numbers are floats, since the first
 * `22i` of one device would pin the metric as an integer for all, and text is kept apart from them. Undefined when it is
 * refused, with its fault added.
 * In open mode, a line that names no sensor, or one that no reading could name, stays as it is.
 */
export function placeLine(
  placement: Placement,
  point: Point,
  { index, raw }: Pick<Placeable, 'index' | 'raw'>,
  faults: Fault[],
): Point | undefined {
  const all = readingFieldsOf(point.fields);
  if (typeof all === 'string') return refuse({ index, reason: 'type_conflict', detail: all, raw }, faults);
  const sensor = tagOf(point.tags, 'sensor') ?? '';
  if (idProblem(sensor) !== undefined) {
    const detail = 'the line names no sensor that could be registered';
    if (placement.isStrict) return refuse({ index, reason: 'unknown_sensor', detail, raw }, faults);
    return all === point.fields ? point : { ...point, fields: all };
  }
  const draft: Placeable = {
    index,
    sensor,
    location: tagOf(point.tags, 'location'),
    values: all.map(([field, value]) => [metricOfField(field, typeof value === 'string'), 0]),
    raw,
  };
  const placed = placement.tagsFor(placement.find(sensor), draft, point.timeNs, faults);
  if (placed === undefined) return undefined;
  const metrics = new Set(draft.values.map(([metric]) => metric));
  const fields = all.filter(([field, value]) => metrics.has(metricOfField(field, typeof value === 'string')));
  const others = point.tags.filter(([key]) => key !== 'sensor' && key !== 'location');
  return { ...point, tags: others.length === 0 ? placed : sorted([...placed, ...others]), fields };
}

/** The fields with numbers and booleans as floats and text as `<field>_text`, or why one cannot be so. */
function readingFieldsOf(fields: readonly Field[]): readonly Field[] | string {
  if (fields.every(([, value]) => typeof value === 'number')) return fields;
  const kept = new Map<string, Field[1]>();
  for (const [field, value] of fields) {
    if (typeof value === 'string') continue;
    const float = convert(value, 'float');
    if (float === undefined) {
      const type = fieldTypeOf(value);
      return `field ${JSON.stringify(field)} of "readings" is float, and this ${type} is not one exactly`;
    }
    kept.set(field, float);
  }
  for (const [field, value] of fields) {
    if (typeof value !== 'string') continue;
    const name = field.endsWith(TEXT_SUFFIX) ? field : field + TEXT_SUFFIX;
    if (typeof (kept.get(name) ?? '') !== 'string')
      return `the text of ${JSON.stringify(field)} is kept as ${JSON.stringify(name)}, which is a number here`;
    kept.set(name, value);
  }
  return [...kept];
}

function refuse(fault: Fault, faults: Fault[]): undefined {
  faults.push(fault);
}

function sorted(tags: Tag[]): Tag[] {
  return tags.sort(([one], [other]) => (one < other ? -1 : 1));
}
