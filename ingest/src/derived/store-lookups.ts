import { setTimeout as delay } from 'node:timers/promises';
import { type Clock, type Freshness, type Logger, type Point, TidemarkError, tagOf } from '@tidemark/core';
import type { Engine } from '@tidemark/store';
import { Outage } from '../outage.ts';
import type { PairDefinition } from './definitions.ts';
import { deriveStored } from './derive-stored.ts';
import type { DerivedLog, Output } from './derived-log.ts';
import type { DerivedMetrics } from './metrics.ts';
import { RecentSamples } from './recent-samples.ts';
import { metricsOf, sampleOfReading } from './samples.ts';
import type { Waiting, WaitingSeries } from './waiting.ts';

/** Pause after the store has failed, and how long the end waits for an answer. */
const RETRY_MS = 1000;
/** How long the store may take to have what was accepted. */
const FLUSH_WITHIN_MS = 2000;
/** Series that are looked up at once. */
const LOOKED_UP = 200;
/** Newest readings that a series is known again by: more than come while it is looked up. */
const KNOWN_AGAIN_BY = 1000;
const END_OF_TIME_NS = (1n << 63n) - 1n;

interface StoreLookupsOptions {
  engine: Pick<Engine, 'readings'>;
  freshness: Freshness;
  clock: Clock;
  logger: Logger;
  metrics: DerivedMetrics;
  waiting: Waiting;
  log: DerivedLog;
  signal: AbortSignal;
  /** A series is known again: takes it out of those that wait, with what came for it since it was looked up. */
  onKnown: (id: string, series: WaitingSeries, recent: RecentSamples, lookedUp: LookedUp) => Output;
}

type LookedUp = WaitingSeries['samples'];

/** Derives from the store what the newest readings of a series do not tell. */
export class StoreLookups {
  readonly #options: StoreLookupsOptions;
  readonly #outage: Outage;
  #running: Promise<void> | undefined;

  constructor(options: StoreLookupsOptions) {
    this.#options = options;
    this.#outage = new Outage({
      ...options,
      figures: () => ({ waiting: options.waiting.samples }),
      texts: {
        begun: 'the store does not say what late readings follow; they wait',
        lasting: 'the store still does not say what late readings follow',
        ended: 'metrics are derived from late readings again',
      },
    });
  }

  get fault(): string | undefined {
    return this.#outage.fault;
  }

  /** Looks up the series that have waited longest, unless that is under way; resolves when it is over. */
  begin(): Promise<void> {
    this.#running ??= this.#lookUp()
      .then(() => this.#outage.ended())
      .catch(async (error: unknown) => {
        this.#outage.failed(error);
        await delay(RETRY_MS, undefined, { signal: this.#options.signal }).catch(() => {});
      })
      .finally(() => {
        this.#running = undefined;
      });
    return this.#running;
  }

  async stop(): Promise<void> {
    await Promise.race([this.#running, delay(RETRY_MS, undefined, { ref: false })]);
    this.#outage.stop();
  }

  async #lookUp(): Promise<void> {
    const { freshness, waiting, metrics, log } = this.#options;
    const work = waiting
      .first(LOOKED_UP)
      .map(([id, series]) => ({ id, series, lookedUp: new Map(series.samples) }));
    if ((await freshness.flush(FLUSH_WITHIN_MS)) > 0)
      throw new TidemarkError('store_unavailable', 'the store is behind', { retryable: true });
    metrics.storeLookups.inc(work.length);
    for (const [definition, ofOne] of Map.groupBy(work, ({ series }) => series.definition)) {
      const timesOf = new Map(ofOne.map(({ series, lookedUp }) => [series.sensor, lookedUp]));
      const isNew = (sensor: string, timeNs: bigint): boolean => timesOf.get(sensor)?.has(timeNs) ?? false;
      for (const range of rangesOf(definition, timesOf))
        for await (const { points } of deriveStored({ ...this.#options, definition, ...range, isNew }))
          await log.append(splitLate(points, timesOf));
    }
    for (const { id, series, lookedUp } of work) {
      const recent = await this.#newestOf(series);
      await log.append(this.#options.onKnown(id, series, recent, lookedUp));
    }
  }

  async #newestOf({ definition, sensor }: WaitingSeries): Promise<RecentSamples> {
    const readings = await this.#options.engine.readings({
      sensors: [sensor],
      metrics: metricsOf(definition),
      fromNs: 0n,
      toNs: END_OF_TIME_NS,
      order: 'desc',
      limit: KNOWN_AGAIN_BY,
    });
    const samples = readings
      .toReversed()
      .map((reading) => sampleOfReading(definition, reading))
      .filter((sample) => sample !== undefined);
    return new RecentSamples(samples, readings.length < KNOWN_AGAIN_BY ? -1n : readings.at(-1)!.timeNs);
  }
}

interface Range {
  sensors: string[];
  fromNs: bigint;
  toNs: bigint;
}

/** Where the readings stand that tell what comes before and after these: ranges that do not meet. */
function rangesOf(
  { withinNs }: PairDefinition,
  timesOf: ReadonlyMap<string, ReadonlyMap<bigint, unknown>>,
): Range[] {
  const all = [...timesOf].flatMap(([sensor, times]) =>
    [...times.keys()].map((timeNs) => ({ sensor, timeNs })),
  );
  all.sort((a, b) => Number(a.timeNs - b.timeNs));
  const ranges: { sensors: Set<string>; fromNs: bigint; toNs: bigint }[] = [];
  for (const { sensor, timeNs } of all) {
    let last = ranges.at(-1);
    if (last === undefined || timeNs - withinNs > last.toNs) {
      last = { sensors: new Set(), fromNs: timeNs > withinNs ? timeNs - withinNs : 0n, toNs: 0n };
      ranges.push(last);
    }
    last.sensors.add(sensor);
    last.toNs = timeNs + withinNs + 1n;
  }
  return ranges.map((range) => ({ ...range, sensors: [...range.sensors] }));
}

function splitLate(
  points: readonly Point[],
  timesOf: ReadonlyMap<string, ReadonlyMap<bigint, { isLate: boolean }>>,
): Output {
  const output: Output = { points: [], late: [] };
  for (const point of points) {
    const sensor = tagOf(point.tags, 'sensor') ?? '';
    (timesOf.get(sensor)?.get(point.timeNs)?.isLate ? output.late : output.points).push(point);
  }
  return output;
}
