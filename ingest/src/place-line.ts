import { idProblem, metricOfField, type Point, type Tag, tagOf } from '@tidemark/core';
import type { Fault } from './decoders/decoded.ts';
import type { Placeable, Placement } from './placement.ts';

/**
 * A line of measurement `readings` is a reading like any other: its sensor is asked for in the registry, and its
 * location is the registry's. Its further tags stay. Undefined when it is refused, with its fault added.
 * In open mode, a line that names no sensor, or one that no reading could name, stays as it is.
 */
export function placeLine(
  placement: Placement,
  point: Point,
  { index, raw }: Pick<Placeable, 'index' | 'raw'>,
  faults: Fault[],
): Point | undefined {
  const sensor = tagOf(point.tags, 'sensor') ?? '';
  if (idProblem(sensor) !== undefined) return placement.isStrict ? refuse(index, raw, faults) : point;
  const draft: Placeable = {
    index,
    sensor,
    location: tagOf(point.tags, 'location'),
    values: point.fields.map(([field, value]) => [metricOfField(field, typeof value === 'string'), 0]),
    raw,
  };
  const placed = placement.tagsFor(placement.find(sensor), draft, point.timeNs, faults);
  if (placed === undefined) return undefined;
  const metrics = new Set(draft.values.map(([metric]) => metric));
  const fields = point.fields.filter(([field, value]) =>
    metrics.has(metricOfField(field, typeof value === 'string')),
  );
  const others = point.tags.filter(([key]) => key !== 'sensor' && key !== 'location');
  return { ...point, tags: others.length === 0 ? placed : sorted([...placed, ...others]), fields };
}

function refuse(index: number, raw: unknown, faults: Fault[]): undefined {
  const detail = 'the line names no sensor that could be registered';
  faults.push({ index, reason: 'unknown_sensor', detail, raw });
}

function sorted(tags: Tag[]): Tag[] {
  return tags.sort(([one], [other]) => (one < other ? -1 : 1));
}
