import { setTimeout as delay } from 'node:timers/promises';
import {
  type Clock,
  type Config,
  Counter,
  downsampledMeasurement,
  Gauge,
  type Logger,
  NS_PER_DAY,
  type PartHealth,
  type PointColumns,
  parseDuration,
  parseMaxAge,
  READINGS,
  type Registry,
  TidemarkError,
} from '@tidemark/core';
import type { Engine, MetaDb } from '@tidemark/store';
import { Outage } from '../outage.ts';
import { DirtyState } from './dirty-state.ts';
import { type Range, Ranges } from './ranges.ts';
import { summaryFunctions, toSummaryPoints } from './summary-points.ts';
import { addTouched, type Dirty } from './touched.ts';

const NS_PER_MINUTE = 60_000_000_000n;
/** How often it is looked for windows that are over. */
const LOOK_EVERY_MS = 1000;
/** A window is summed up so long after its end, when most of it has come; what comes later does it again. */
const SETTLE_NS = 5_000_000_000n;
const RETRY_MS = 5000;
/** How long a query may take at the end; what it was for is done after the next start. */
const STOP_WITHIN_MS = 500;
/** Windows that are asked for at once, to begin with: as many results as that gives decide of the next. */
const FIRST_CHUNK = 16;
const MAX_CHUNK = 4096;
const MANY_RESULTS = 100_000;
/** Points of one write: batches wait for it. */
const WRITE_POINTS = 2000;

interface DownsamplingOptions {
  config: Config;
  clock: Clock;
  logger: Logger;
  metrics: Registry;
  engine: Pick<Engine, 'windows' | 'write' | 'storage'>;
  meta: MetaDb;
  /** Runs a write to the store between two batches. */
  between<T>(work: () => Promise<T>): Promise<T>;
}

interface Rule extends Dirty {
  every: string;
  everyNs: bigint;
  /** Taken from them, and not written yet. */
  underWay: Range | undefined;
  /** False until the history of a width that is new was looked for; until then nothing of it is kept. */
  isKnown: boolean;
  chunk: number;
}

/**
 * Sums `readings` up into measurements of their own, from what the store holds: so each result is the same whatever
 * came in which order, and doing it again changes nothing. Which windows a batch touched is noted once the store has
 * it, and kept in meta.db before the log's cursor passes it: no crash forgets one.
 */
export class Downsampling {
  readonly #options: DownsamplingOptions;
  readonly #rules: readonly Rule[];
  readonly #state: DirtyState;
  readonly #stopping = new AbortController();
  readonly #outage: Outage;
  readonly #windows: Counter<'every'>;
  #running: Promise<void> | undefined;

  constructor(options: DownsamplingOptions) {
    this.#options = options;
    this.#state = new DirtyState(options.meta);
    this.#rules = [...new Set(options.config.downsample.every)].map((every) => ({
      every,
      everyNs: parseDuration(every)!,
      minutes: Number(parseDuration(every)! / NS_PER_MINUTE),
      ranges: new Ranges(),
      underWay: undefined,
      isChanged: false,
      isKnown: false,
      chunk: FIRST_CHUNK,
    }));
    this.#windows = new Counter({
      name: 'tidemark_downsample_windows_total',
      help: 'Windows of readings that were summed up, for the first time or again',
      labelNames: ['every'],
      registers: [options.metrics],
    });
    const rules = this.#rules;
    const pending = (rule: Rule) => this.#pendingSeconds(rule);
    new Gauge({
      name: 'tidemark_downsample_pending_seconds',
      help: 'Time whose windows are over and not summed up yet',
      labelNames: ['every'],
      registers: [options.metrics],
      collect() {
        for (const rule of rules) this.set({ every: rule.every }, pending(rule));
      },
    });
    this.#outage = new Outage({
      ...options,
      figures: () => ({}),
      texts: {
        begun: 'readings cannot be summed up; it is tried again',
        lasting: 'readings still cannot be summed up',
        ended: 'readings are summed up again',
      },
    });
  }

  /** Takes up what a run before has left; to be called before anything is written. */
  takeUp(): void {
    const known = this.#state.load(this.#rules.map(({ every }) => every));
    for (const rule of this.#rules) {
      const ranges = known.get(rule.every);
      rule.isKnown = ranges !== undefined;
      for (const range of ranges ?? []) rule.ranges.add(range);
    }
  }

  start(): void {
    if (this.#rules.length > 0) this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    const tooLate = delay(STOP_WITHIN_MS, undefined, { ref: false });
    await Promise.race([this.#running, tooLate]);
    this.#outage.stop();
  }

  health(): PartHealth {
    const { fault } = this.#outage;
    return { name: 'downsampling', status: fault ? 'fail' : 'pass', message: fault ?? 'summing up' };
  }

  /** Notes what a batch touched that the store has now. */
  noteWritten(points: PointColumns): void {
    if (this.#rules.length === 0) return;
    addTouched(points, this.#rules);
  }

  /** Makes durable what was noted; throws when it cannot. */
  save(): void {
    for (const rule of this.#rules) {
      if (!rule.isChanged || !rule.isKnown) continue;
      const ranges = new Ranges(rule.ranges.all);
      if (rule.underWay) ranges.add(rule.underWay);
      this.#state.save(rule.every, ranges.all);
      rule.isChanged = false;
    }
  }

  /** Sums up all windows that are over; one call at a time. */
  async sumUp(): Promise<void> {
    const endNs = this.#options.clock.nowNs() - SETTLE_NS;
    for (const rule of this.#rules) {
      if (!rule.isKnown) await this.#takeUpHistory(rule);
      const end = lastWhole(rule, endNs);
      while (!this.#stopping.signal.aborted) {
        const range = rule.ranges.take(end, rule.chunk * rule.minutes);
        if (range === undefined) break;
        rule.underWay = range;
        try {
          await this.#sumUpRange(rule, range);
        } catch (error) {
          rule.ranges.add(range);
          if (!isTooMuch(error) || rule.chunk === 1) throw error;
          rule.chunk = Math.max(1, rule.chunk >> 2);
        } finally {
          rule.underWay = undefined;
          rule.isChanged = true;
        }
      }
    }
    this.save();
  }

  #pendingSeconds(rule: Rule): number {
    const end = lastWhole(rule, this.#options.clock.nowNs() - SETTLE_NS);
    const ranges = rule.underWay ? [...rule.ranges.all, rule.underWay] : rule.ranges.all;
    return ranges.reduce((sum, [from, to]) => sum + Math.max(0, Math.min(to, end) - from) * 60, 0);
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      let pauseMs = LOOK_EVERY_MS;
      try {
        await this.sumUp();
        this.#outage.ended();
      } catch (error) {
        if (!signal.aborted) this.#outage.failed(error);
        pauseMs = RETRY_MS;
      }
      await delay(pauseMs, undefined, { signal }).catch(() => {});
    }
  }

  async #sumUpRange(rule: Rule, [start, end]: Range): Promise<void> {
    const { engine, between, logger } = this.#options;
    const fromNs = this.#firstWhole(rule, BigInt(start) * NS_PER_MINUTE);
    const toNs = BigInt(end) * NS_PER_MINUTE;
    if (fromNs >= toNs) return;
    const windows = await engine.windows({
      fromNs,
      toNs,
      everyNs: rule.everyNs,
      timeZone: undefined,
      functions: summaryFunctions,
      by: ['sensor', 'location'],
      fill: 'none',
    });
    const points = toSummaryPoints(rule.every, windows);
    for (let at = 0; at < points.length; at += WRITE_POINTS) {
      const some = points.slice(at, at + WRITE_POINTS);
      const [first] = await between(() => engine.write(some));
      if (first)
        logger.error(
          { measurement: downsampledMeasurement(rule.every), detail: first.detail },
          'the store refuses sums',
        );
    }
    this.#windows.inc({ every: rule.every }, (end - start) / rule.minutes);
    if (windows.length > MANY_RESULTS) rule.chunk = Math.max(1, rule.chunk >> 1);
    else if (windows.length < MANY_RESULTS / 4) rule.chunk = Math.min(MAX_CHUNK, rule.chunk * 2);
  }

  /** Windows that retention has taken readings from stay as they are: what is left is not what they sum up. */
  #firstWhole({ everyNs }: Rule, fromNs: bigint): bigint {
    const { config, clock } = this.#options;
    const ages = config.retention.maxAge.flatMap((text) => parseMaxAge(text) ?? []);
    const age =
      ages.find(({ measurement }) => measurement === READINGS) ??
      ages.find(({ measurement }) => measurement === '*');
    if (age === undefined) return fromNs;
    const today = (clock.nowNs() / NS_PER_DAY) * NS_PER_DAY;
    const keptNs = today - age.ageNs;
    const firstNs = ((keptNs + everyNs - 1n) / everyNs) * everyNs;
    return firstNs > fromNs ? firstNs : fromNs;
  }

  /** Of a width that is new, all there is. */
  async #takeUpHistory(rule: Rule): Promise<void> {
    const { engine, clock } = this.#options;
    const { minutes, ranges } = rule;
    const oldestNs = (await engine.storage()).oldestNs.get(READINGS);
    rule.isKnown = true;
    rule.isChanged = true;
    if (oldestNs === undefined) return;
    const start = Math.floor(Number(oldestNs / NS_PER_MINUTE) / minutes) * minutes;
    // Readings may be up to a day ahead.
    const end = Math.ceil(Number((clock.nowNs() + 2n * NS_PER_DAY) / NS_PER_MINUTE) / minutes) * minutes;
    ranges.add([start, end]);
  }
}

/** The end of the last window that is over at a time. */
function lastWhole({ minutes }: Rule, timeNs: bigint): number {
  return Math.floor(Number(timeNs / NS_PER_MINUTE) / minutes) * minutes;
}

/** The store would answer with more windows than one query may give. */
function isTooMuch(error: unknown): boolean {
  return error instanceof TidemarkError && error.code === 'bad_request';
}
