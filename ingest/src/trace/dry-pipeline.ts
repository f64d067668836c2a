import {
  type Config,
  type Outcome,
  type Point,
  PointColumns,
  Registry,
  type SensorRegistrar,
  submit,
} from '@tidemark/core';
import { ClockLimits } from '../clock-limits.ts';
import type { Mappings } from '../mappings/mappings.ts';
import { IngestMetrics } from '../metrics.ts';
import { Pipeline, type PipelineOptions } from '../pipeline.ts';
import { Placement } from '../placement.ts';
import { recordKinds } from '../spool/record.ts';

/** The parts of the pipeline that runs; what they would change is left as it is. */
export type RealParts = Omit<
  PipelineOptions,
  'clockLimits' | 'mappings' | 'metrics' | 'placement' | 'spool'
> & {
  mappings: Mappings;
};

interface DryOptions {
  parts: RealParts;
  config: Config;
  /** Registers nothing. */
  registrar: SensorRegistrar;
}

export interface DryRun {
  outcome: Outcome;
  /** What would be appended to the log. */
  points: readonly Point[];
  /** Those of them that would be late. */
  late: ReadonlySet<Point>;
}

/**
 * What the pipeline would make of a message now: the same code with a log that keeps nothing, and with memories that do
 * not learn. The message counts as one that was given before, whose readings have no effect beyond themselves. Rejects
 * with a retryable `unavailable` when a mapping's expression cannot read it now.
 */
export async function runDry(
  topic: string,
  payload: Uint8Array,
  { parts, config, registrar }: DryOptions,
): Promise<DryRun> {
  const points: Point[] = [];
  const late = new Set<Point>();
  const metrics = new IngestMetrics(new Registry(), nothingQuarantined);
  const { lateness, mappings, pins, clock } = parts;
  const pipeline = new Pipeline({
    ...parts,
    mappings: {
      claims: mappings.claims,
      decode: (claim, topic, payload) => mappings.read(claim, topic, payload),
    },
    spool: {
      refusal: () => undefined,
      append: (kind, _acceptedNs, _payload, appended, done) => {
        for (const point of pointsOf(appended)) {
          points.push(point);
          if (kind === recordKinds.latePoints) late.add(point);
        }
        done?.();
      },
      follow: (done) => done(),
    },
    placement: new Placement({ registrar, limits: config.registry, metrics }),
    lateness: {
      watermarkOf: (sensor) => ({ ...lateness.watermarkOf(sensor) }),
      isLate: (watermark, timeNs, nowNs) => lateness.isLate(watermark, timeNs, nowNs),
    },
    clockLimits: new ClockLimits({
      ...config.ingest,
      ...config.lateness,
      offClock: { behind: 0, ahead: 0 },
    }),
    pins: {
      isStrict: pins.isStrict,
      typeOf: (measurement, field) => pins.typeOf(measurement, field),
      pin: () => {},
      problemOf: () => undefined,
    },
    metrics,
  });
  const firstGivenNs = clock.nowNs();
  const outcome = await submit(pipeline, { source: 'mqtt', topic, payload, firstGivenNs });
  return { outcome, points, late };
}

function pointsOf(appended: readonly Point[] | PointColumns): readonly Point[] {
  if (!(appended instanceof PointColumns)) return appended;
  return Array.from({ length: appended.length }, (_, index) => appended.at(index));
}

const nothingQuarantined = { count: () => 0, evicted: { items: 0, bytes: 0, age: 0 } };
