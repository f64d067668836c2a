import { type Clock, type DerivedRegistrar, encodeSeriesKey, type Point, tagOf } from '@tidemark/core';
import { encodePoints } from '../spool/entry.ts';
import { type RecordKind, recordKinds } from '../spool/record.ts';
import type { Spool } from '../spool/spool.ts';
import type { DerivedMetrics } from './metrics.ts';

/** How often it is looked whether waiting for the disk has an end. */
const LOOK_EVERY_MS = 1000;

/** What is to be written. */
export interface Output {
  points: Point[];
  /** What follows from readings that came late. */
  late: Point[];
}

interface DerivedLogOptions {
  spool: Pick<Spool, 'append' | 'health'>;
  clock: Clock;
  registrar: DerivedRegistrar;
  metrics: DerivedMetrics;
  /** Of derived metrics. */
  units: ReadonlyMap<string, string | undefined>;
  signal: AbortSignal;
}

/** Writes derived values into the log, as readings of the sensors that they follow from. */
export class DerivedLog {
  readonly #options: DerivedLogOptions;

  constructor(options: DerivedLogOptions) {
    this.#options = options;
  }

  /**
   * Resolves when it is durable. On a disk that takes nothing it is not waited for: what makes room may be the cursor of
   * derived metrics, and until there is room it is in memory.
   */
  async append({ points, late }: Output): Promise<void> {
    const { spool, signal } = this.#options;
    const appended = [
      ...this.#appendAs(recordKinds.points, points),
      ...this.#appendAs(recordKinds.latePoints, late),
    ];
    if (appended.length === 0) return;
    const { promise: isHopeless, resolve } = Promise.withResolvers<void>();
    const timer = setInterval(() => {
      if (signal.aborted || spool.health().status === 'fail') resolve();
    }, LOOK_EVERY_MS);
    await Promise.race([Promise.all(appended), isHopeless]);
    clearInterval(timer);
  }

  #appendAs(kind: RecordKind, all: readonly Point[]): Promise<void>[] {
    const { spool, clock, metrics } = this.#options;
    const points = all.filter((point) => this.#admit(point));
    if (points.length === 0) return [];
    metrics.points.inc(points.length);
    const text = encodePoints(points, ({ measurement, tags }) => encodeSeriesKey(measurement, tags));
    return [new Promise((resolve) => spool.append(kind, clock.nowNs(), text, points, () => resolve()))];
  }

  /** Whether the sensor may have the metric, which the registry is told of then. */
  #admit({ tags, fields }: Point): boolean {
    const { registrar, units, metrics } = this.#options;
    const metric = fields[0]![0];
    const sensor = registrar.sensor(tagOf(tags, 'sensor') ?? '');
    // Of one that is not registered the store has the readings too.
    if (sensor === undefined || sensor.metrics[metric]?.derived) return true;
    const isAdmitted = registrar.reportDerived(sensor, metric, units.get(metric)) !== undefined;
    if (!isAdmitted) metrics.refused.inc();
    return isAdmitted;
  }
}
