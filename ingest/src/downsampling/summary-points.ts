import { downsampledMeasurement, type Point, tagsOf, type Window, type WindowFunction } from '@tidemark/core';

/** What a window is summed up by: `<metric>_<function>` each. */
export const summaryFunctions = [
  'count',
  'sum',
  'min',
  'max',
  'mean',
  'last',
] as const satisfies WindowFunction[];

/** One point for each sensor, place and window, at the window's start. */
export function toSummaryPoints(every: string, windows: Iterable<Window>): Point[] {
  const points = new Map<string, { point: Point; fields: [string, number][] }>();
  for (const { timeNs, metric, sensor, location, values } of windows) {
    const key = JSON.stringify([String(timeNs), sensor, location]);
    let found = points.get(key);
    if (found === undefined) {
      const fields: [string, number][] = [];
      const measurement = downsampledMeasurement(every);
      found = {
        point: { measurement, tags: tagsOf(sensor ?? '', location ?? undefined), fields, timeNs },
        fields,
      };
      points.set(key, found);
    }
    for (const fn of summaryFunctions) {
      const value = values.get(fn);
      if (value !== null && value !== undefined) found.fields.push([`${metric}_${fn}`, value]);
    }
  }
  return [...points.values()].map(({ point }) => point);
}
