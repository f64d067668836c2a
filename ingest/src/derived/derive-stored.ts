import { type Point, READINGS } from '@tidemark/core';
import type { Engine } from '@tidemark/store';
import { type Definition, type Sample, valueOfPair } from './definitions.ts';
import { metricsOf, sampleOfReading } from './samples.ts';

/** Readings that one question to the store brings. */
const PAGE = 5000;

interface DeriveOptions {
  engine: Pick<Engine, 'readings'>;
  definition: Definition;
  /** None: all that the definition concerns. */
  sensors: readonly string[];
  /** Inclusive; what comes before counts as not there. */
  fromNs: bigint;
  /** Exclusive. */
  toNs: bigint;
  /** Whether the reading is new: its value is derived, and that of the one that follows it. */
  isNew: (sensor: string, timeNs: bigint) => boolean;
}

/** What follows from one page of readings. */
interface DerivedPage {
  points: Point[];
  readings: number;
  /** Of the last of them. */
  lastNs: bigint | undefined;
}

/** Derives from what is stored, in pages and in the order of time. Rejects with a retryable `store_unavailable`. */
export async function* deriveStored(options: DeriveOptions): AsyncGenerator<DerivedPage> {
  const { engine, definition, sensors, fromNs, toNs } = options;
  const metrics = metricsOf(definition);
  const newest = new Map<string, Sample>();
  let after: { timeNs: bigint; sensor: string } | undefined;
  for (;;) {
    const page = await engine.readings({
      sensors,
      metrics,
      fromNs,
      toNs,
      order: 'asc',
      limit: PAGE,
      after,
    });
    const points: Point[] = [];
    for (const reading of page) {
      const { sensor } = reading;
      const sample = definition.concerns(sensor) ? sampleOfReading(definition, reading) : undefined;
      if (sample === undefined) continue;
      const value = valueIn(newest, sensor, sample, options);
      if (value !== undefined) points.push(derivedPoint(definition, sample, value));
    }
    const last = page.at(-1);
    yield { points, readings: page.length, lastNs: last?.timeNs };
    if (page.length < PAGE || last === undefined) return;
    after = { timeNs: last.timeNs, sensor: last.sensor };
    if (definition.kind === 'pair') forgetBefore(newest, last.timeNs - definition.withinNs);
  }
}

export function derivedPoint({ metric }: Definition, { tags, timeNs }: Sample, value: number): Point {
  return { measurement: READINGS, tags, fields: [[metric, value]], timeNs };
}

function valueIn(
  newest: Map<string, Sample>,
  sensor: string,
  sample: Sample,
  { definition, isNew }: DeriveOptions,
): number | undefined {
  if (definition.kind === 'expression') {
    const value = isNew(sensor, sample.timeNs) ? definition.compute(sample.values) : undefined;
    return value !== undefined && Number.isFinite(value) ? value : undefined;
  }
  // No id has a slash.
  const series = `${sensor}/${sample.key}`;
  const before = newest.get(series);
  newest.set(series, sample);
  const hasChanged = isNew(sensor, sample.timeNs) || (before !== undefined && isNew(sensor, before.timeNs));
  return hasChanged ? valueOfPair(definition, before, sample) : undefined;
}

/** What no later reading follows. */
function forgetBefore(newest: Map<string, Sample>, timeNs: bigint): void {
  for (const [series, sample] of newest) if (sample.timeNs < timeNs) newest.delete(series);
}
