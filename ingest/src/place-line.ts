import {
  type Field,
  fieldTypeOf,
  idProblem,
  metricOfField,
  type Point,
  type Tag,
  tagOf,
} from '@tidemark/core';
import { convert } from '@tidemark/store';
import type { Fault } from './decoders/decoded.ts';
import type { Placeable, Placement } from './placement.ts';

/**
 * A line of measurement `readings` is a reading like any other: its sensor is asked for in the registry, and its
 * location is the registry's. Its further tags stay. Its numbers are floats, since the first `22i` of one device would
 * pin the metric as an integer for all. Undefined when it is refused, with its fault added.
 * In open mode, a line that names no sensor, or one that no reading could name, stays as it is.
 */
export function placeLine(
  placement: Placement,
  point: Point,
  { index, raw }: Pick<Placeable, 'index' | 'raw'>,
  faults: Fault[],
): Point | undefined {
  const all = floatsOf(point.fields);
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

/** The fields with their numbers and booleans as floats, or why one has none; text stays. */
function floatsOf(fields: readonly Field[]): readonly Field[] | string {
  if (fields.every(([, value]) => typeof value === 'number' || typeof value === 'string')) return fields;
  const floats: Field[] = [];
  for (const [field, value] of fields) {
    const float = typeof value === 'string' ? value : convert(value, 'float');
    if (float === undefined) {
      const type = fieldTypeOf(value);
      return `field ${JSON.stringify(field)} of "readings" is float, and this ${type} is not one exactly`;
    }
    floats.push([field, float]);
  }
  return floats;
}

function refuse(fault: Fault, faults: Fault[]): undefined {
  faults.push(fault);
}

function sorted(tags: Tag[]): Tag[] {
  return tags.sort(([one], [other]) => (one < other ? -1 : 1));
}
