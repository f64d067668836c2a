import {
  encodeLine,
  encodeLineHead,
  type FieldType,
  fieldTypeOf,
  type Point,
  type Tag,
} from '@tidemark/core';
import type { FieldTypes } from './field-types.ts';
import { encodeNames, pointProblem } from './names.ts';

/** What the points of one series in a batch have in common. */
interface PlainSeries {
  head: string;
  types: ReadonlyMap<string, FieldType>;
  /** Time of its newest point so far; undefined before the first. */
  newestNs: bigint | undefined;
}

/**
 * The lines of a batch in which nothing is to be decided, one for each point and in their order: every value has
 * the type that its field is pinned to, and no two points have one series and time, which is known without a
 * table where each series comes in order of time. Undefined for any other batch. Nearly all batches are such,
 * and cost no object for a point.
 */
export function plainLines(points: readonly Point[], types: FieldTypes): string | undefined {
  const byHead = new Map<string, PlainSeries>();
  // Points of one series mostly share their tags.
  const byTags = new Map<readonly Tag[], PlainSeries>();
  const lines: string[] = [];
  let measurement = '';
  for (const point of points) {
    if (point.measurement !== measurement) byTags.clear();
    measurement = point.measurement;
    let series = byTags.get(point.tags);
    if (series === undefined) {
      series = seriesOf(point, byHead, types);
      if (series === undefined) return undefined;
      byTags.set(point.tags, series);
    }
    const { newestNs } = series;
    if ((newestNs !== undefined && point.timeNs <= newestNs) || !isPlain(point, series)) return undefined;
    series.newestNs = point.timeNs;
    lines.push(encodeLine(point, series.head));
  }
  return lines.join('\n');
}

function seriesOf(
  point: Point,
  byHead: Map<string, PlainSeries>,
  types: FieldTypes,
): PlainSeries | undefined {
  const pinned = types.of(point.measurement);
  if (pinned === undefined || pointProblem(point) !== undefined) return undefined;
  const { measurement, tags } = encodeNames(point);
  const head = encodeLineHead(measurement, tags);
  let series = byHead.get(head);
  if (series === undefined) {
    series = { head, types: pinned, newestNs: undefined };
    byHead.set(head, series);
  }
  return series;
}

/** A field that has a type was taken once, so that its name is no problem; but one with a backslash is encoded. */
function isPlain({ fields }: Point, { types }: PlainSeries): boolean {
  for (const [field, value] of fields)
    if (types.get(field) !== fieldTypeOf(value) || field.includes('\\')) return false;
  return fields.length > 0;
}
