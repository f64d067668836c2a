import { PointColumns, type Tag, tagOf } from '@tidemark/core';
import { sensorMeasurements } from '@tidemark/store';

/**
 * Points of the log with their sensors' ids of now. What was accepted before a rename stands in the log under the
 * id of then, and is written again from there after a crash.
 */
export function underPresentIds(points: PointColumns, renamedIds: ReadonlyMap<string, string>): PointColumns {
  if (renamedIds.size === 0) return points;
  // Points of one series mostly share their tags, and what knows the series by them is to find them shared.
  const known = new Map<readonly Tag[], readonly Tag[]>();
  const present = new PointColumns();
  for (let index = 0; index < points.length; index++) {
    const point = points.at(index);
    if (sensorMeasurements.includes(point.measurement)) {
      let tags = known.get(point.tags);
      if (tags === undefined) {
        tags = renamed(point.tags, renamedIds);
        known.set(point.tags, tags);
      }
      point.tags = tags;
    }
    present.push(point);
  }
  return present;
}

function renamed(tags: readonly Tag[], renamedIds: ReadonlyMap<string, string>): readonly Tag[] {
  const sensor = tagOf(tags, 'sensor') ?? '';
  const id = renamedIds.get(sensor);
  return id === undefined ? tags : tags.map((tag) => (tag[0] === 'sensor' ? ['sensor', id] : tag));
}
