import { type JournalEntry, pointToReading, READINGS, type Reading, readingToJson } from '@tidemark/core';
import type { ReadingFilter } from '@tidemark/store';

/** A reading with the offset that its own event carries as id. */
export interface LiveReading {
  reading: Reading;
  /** True when it came late, behind the newest of its sensor. */
  isLate: boolean;
  resumeAt: number;
}

/**
 * Finds an entry's readings that pass the filter; only the metrics asked for are left in them.
 * The last one resumes after the entry. The ones before it resume at its start: a message that was cut off
 * in the middle is sent again as a whole, so none of its readings can be missed.
 */
export function createReadingMatcher(filter: ReadingFilter): (entry: JournalEntry) => LiveReading[] {
  const sensors = setOf(filter.sensors);
  const locations = setOf(filter.locations);
  const metrics = setOf(filter.metrics);
  return ({ points, offset, nextOffset, isLate }) => {
    const found: LiveReading[] = [];
    for (const point of points) {
      if (point.measurement !== READINGS) continue;
      const reading = pointToReading(point);
      if (sensors?.has(reading.sensor) === false) continue;
      if (locations?.has(reading.location ?? '') === false) continue;
      const values = metrics ? reading.values.filter(([metric]) => metrics.has(metric)) : reading.values;
      if (values.length === 0) continue;
      found.push({ reading: { ...reading, values }, isLate, resumeAt: offset });
    }
    const last = found.at(-1);
    if (last !== undefined) last.resumeAt = nextOffset;
    return found;
  };
}

/** A reading as a live client is shown it. */
export function liveReadingToJson({ reading, isLate }: LiveReading): Record<string, unknown> {
  const json = readingToJson(reading);
  // A metric of that name goes before the mark: what was measured is never covered up.
  if (isLate) json.late ??= true;
  return json;
}

function setOf(names: readonly string[] | undefined): ReadonlySet<string> | undefined {
  return names === undefined || names.length === 0 ? undefined : new Set(names);
}
