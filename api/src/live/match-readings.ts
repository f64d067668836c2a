import {
  createPattern,
  type JournalEntry,
  type NameMatcher,
  type Point,
  pointToReading,
  READINGS,
  type Reading,
  readingToJson,
} from '@tidemark/core';
import type { ReadingFilter } from '@tidemark/store';

/** A reading on its way to live clients; all of them share it, and its text. */
export class LiveReading {
  readonly reading: Reading;
  /** True when it came late, behind the newest of its sensor. */
  readonly isLate: boolean;
  #text: string | undefined;

  constructor(reading: Reading, isLate: boolean) {
    this.reading = reading;
    this.isLate = isLate;
  }

  /** The reading as a live client is shown it, as JSON. */
  get text(): string {
    this.#text ??= JSON.stringify(this.#toJson());
    return this.#text;
  }

  #toJson(): Record<string, unknown> {
    const json = readingToJson(this.reading);
    // A metric of that name goes before the mark: what was measured is never covered up.
    if (this.isLate) json.late ??= true;
    return json;
  }
}

/** A reading as it is sent to one client. */
export interface SentReading {
  live: LiveReading;
  /**
   * The offset that its own event carries as id. The last reading of a message resumes behind the message. The ones
   * before it resume at its start: a message that was cut off in the middle is sent again as a whole, so that none of
   * its readings can be missed.
   */
  resumeAt: number;
}

/** What a client is shown of a reading: itself, one with fewer metrics, or undefined when it does not match. */
export type ReadingMatcher = (live: LiveReading) => LiveReading | undefined;

/** True for a name that stands for more sensors than one: `*` is any text. */
export function isPattern(sensor: string): boolean {
  return sensor.includes('*');
}

/** Sensors may be patterns. */
export function createReadingMatcher(filter: ReadingFilter): ReadingMatcher {
  const isSensor = sensorMatcher(filter.sensors);
  const locations = setOf(filter.locations);
  const metrics = setOf(filter.metrics);
  return (live) => {
    const { reading, isLate } = live;
    if (isSensor?.(reading.sensor) === false) return undefined;
    if (locations?.has(reading.location ?? '') === false) return undefined;
    if (metrics === undefined) return live;
    const values = reading.values.filter(([metric]) => metrics.has(metric));
    if (values.length === reading.values.length) return live;
    return values.length === 0 ? undefined : new LiveReading({ ...reading, values }, isLate);
  };
}

/** The entry's point as a reading; undefined when it is none. */
export function toLiveReading(point: Point, { isLate }: JournalEntry): LiveReading | undefined {
  return point.measurement === READINGS ? new LiveReading(pointToReading(point), isLate) : undefined;
}

/** The entry's readings that match. */
export function matchEntry(entry: JournalEntry, match: ReadingMatcher): SentReading[] {
  const found: SentReading[] = [];
  for (const point of entry.points) {
    const live = toLiveReading(point, entry);
    const shown = live && match(live);
    if (shown !== undefined) found.push({ live: shown, resumeAt: entry.offset });
  }
  const last = found.at(-1);
  if (last !== undefined) last.resumeAt = entry.nextOffset;
  return found;
}

function sensorMatcher(names: readonly string[] | undefined): NameMatcher | undefined {
  const ids = setOf(names?.filter((name) => !isPattern(name)));
  const patterns = names?.filter(isPattern).map(createPattern) ?? [];
  if (patterns.length === 0) return ids && ((sensor) => ids.has(sensor));
  return (sensor) => ids?.has(sensor) === true || patterns.some((matches) => matches(sensor));
}

function setOf(names: readonly string[] | undefined): ReadonlySet<string> | undefined {
  return names === undefined || names.length === 0 ? undefined : new Set(names);
}
