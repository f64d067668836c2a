import { setTimeout as delay } from 'node:timers/promises';
import {
  type Clock,
  type Config,
  type DerivedRegistrar,
  type Freshness,
  type Logger,
  type PartHealth,
  READINGS,
  type Registry,
  tagOf,
  tagsOf,
} from '@tidemark/core';
import type { Engine } from '@tidemark/store';
import { Outage } from '../outage.ts';
import type { SpoolEntry } from '../spool/entry.ts';
import type { Spool } from '../spool/spool.ts';
import {
  type Definition,
  type PairDefinition,
  readDefinitions,
  type Sample,
  valueOfPair,
} from './definitions.ts';
import { Derivation } from './derivation.ts';
import { derivedPoint } from './derive-stored.ts';
import { DerivedLog, type Output } from './derived-log.ts';
import { DerivedMetrics } from './metrics.ts';
import { RecentSamples } from './recent-samples.ts';
import { sampleOfPoint } from './samples.ts';
import { StoreLookups } from './store-lookups.ts';
import { Waiting, type WaitingSeries } from './waiting.ts';

/** Read between two turns of the event loop. */
const READ_BYTES = 64 * 1024;
/** Entries are gathered so long before they are read: an alert on a derived metric must not wait. */
const GATHER_MS = 20;
const SAVE_EVERY_MS = 1000;
const RETRY_MS = 1000;
/** How long the store may take to have what was accepted. */
const FLUSH_WITHIN_MS = 2000;
/** Readings that may wait for the store; with more, none is read until it has answered. */
const MAX_WAITING = 100_000;
/** Sensors of which it is remembered what is derived for them; forgotten when there are more. */
const MAX_KNOWN_SENSORS = 1_000_000;
const none: readonly Concern[] = [];

interface DeriverOptions {
  config: Config;
  clock: Clock;
  logger: Logger;
  metrics: Registry;
  spool: Spool;
  engine: Pick<Engine, 'readings' | 'latest'>;
  registrar: DerivedRegistrar;
  freshness: Freshness;
}

/** A definition that concerns a sensor, and what it is called together with it. */
interface Concern {
  definition: Definition;
  id: string;
}

/** A series whose newest readings are known, and which of them are new. */
interface Touched {
  definition: PairDefinition;
  sensor: string;
  recent: RecentSamples;
  samples: Map<bigint, { sample: Sample; isLate: boolean }>;
  offset: number;
}

/**
 * Derived metrics: reads the log behind the durable cursor `derived`, and writes what follows from each reading into the
 * log, from where it goes the way of every point. What is remembered of readings is a cache of what the store holds, so
 * that nothing has to be restored: what comes late, or of a sensor that is not in memory, waits until the store has
 * said what came before and after it. Read again after a crash, a reading gives the same values at the same times.
 */
export class Deriver {
  #definitions: readonly Definition[] = [];
  readonly #options: DeriverOptions;
  readonly #metrics: DerivedMetrics;
  readonly #stopping = new AbortController();
  readonly #outage: Outage;
  readonly #log: DerivedLog;
  readonly #lookups: StoreLookups;
  /** From what is stored already. */
  readonly derivation: Derivation;
  /** Used longest ago first. */
  readonly #recent = new Map<string, RecentSamples>();
  readonly #concerns = new Map<string, readonly Concern[]>();
  readonly #waiting = new Waiting();
  #changes = -1;
  #position = 0;
  #advancedAtMs = 0;
  #running: Promise<void> | undefined;

  constructor(options: DeriverOptions) {
    const { config } = options;
    this.#options = options;
    this.#metrics = new DerivedMetrics(options.metrics, {
      pending: () => this.#waiting.samples,
      series: () => this.#recent.size,
    });
    this.#outage = new Outage({
      ...options,
      figures: () => ({ backlogBytes: options.spool.endOffset - this.#position }),
      texts: {
        begun: 'metrics cannot be derived; readings stay in the spool and it is tried again',
        lasting: 'metrics still cannot be derived',
        ended: 'metrics are derived again',
      },
    });
    const { signal } = this.#stopping;
    const units = new Map(config.derived.map(({ metric, unit }) => [metric, unit]));
    this.#log = new DerivedLog({ ...options, metrics: this.#metrics, units, signal });
    this.derivation = new Derivation({
      ...options,
      log: this.#log,
      metrics: config.derived,
      definitions: () => this.#definitions,
    });
    this.#lookups = new StoreLookups({
      ...options,
      metrics: this.#metrics,
      waiting: this.#waiting,
      log: this.#log,
      signal,
      onKnown: (...known) => this.#knowAgain(...known),
    });
  }

  /**
   * Goes on where the last run came to; the log and the store must have started. Throws `config_invalid` for an expression
   * that is none.
   */
  async start(): Promise<void> {
    const { spool, config } = this.#options;
    this.#definitions = await readDefinitions(config.derived);
    if (this.#definitions.length === 0) {
      spool.release('derived');
      return;
    }
    this.#position = spool.cursor('derived');
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    await this.#lookups.stop();
    this.#outage.stop();
  }

  /** Nothing where nothing is derived. */
  health(): PartHealth[] {
    if (this.#running === undefined) return [];
    const fault = this.#outage.fault ?? this.#lookups.fault;
    return [{ name: 'derived', status: fault ? 'fail' : 'pass', message: fault ?? 'deriving' }];
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    await this.#takeUp();
    for (;;) {
      try {
        await this.#takeNext();
        await this.#advance(signal.aborted);
        this.#outage.ended();
        if (signal.aborted) return;
        await this.#waitForMore();
      } catch (error) {
        this.#outage.failed(error);
        if (signal.aborted) return;
        await delay(RETRY_MS, undefined, { signal }).catch(() => {});
      }
    }
  }

  /** The newest reading of every sensor, in one question. What it does not tell is looked up when it is needed. */
  async #takeUp(): Promise<void> {
    const { engine, config, freshness, logger } = this.#options;
    if ((await freshness.flush(FLUSH_WITHIN_MS)) > 0) return;
    try {
      for (const definition of this.#definitions) {
        if (definition.kind !== 'pair' || definition.by !== undefined) continue;
        const values = await engine.latest({ metrics: definition.inputs });
        for (const [sensor, ofSensor] of Map.groupBy(values, (value) => value.sensor)) {
          if (!definition.concerns(sensor) || this.#recent.size >= config.derivation.maxSeries) continue;
          const newest = newestSample(definition, ofSensor);
          if (newest)
            this.#recent.set(this.#idOf(definition, sensor), new RecentSamples([newest], newest.timeNs));
        }
      }
    } catch (error) {
      logger.warn({ err: error }, 'what derived metrics follow is looked up as it is needed');
    }
  }

  async #takeNext(): Promise<void> {
    const { spool, registrar } = this.#options;
    if (registrar.changes !== this.#changes) {
      this.#changes = registrar.changes;
      this.#concerns.clear();
      for (const id of this.#recent.keys()) {
        const sensor = id.slice(id.indexOf('/') + 1);
        if (registrar.sensor(sensor)?.id !== sensor) this.#recent.delete(id);
      }
    }
    const { entries, nextOffset } = await spool.take(this.#position, READ_BYTES, true);
    const output = this.#derive(entries);
    await this.#log.append(output);
    this.#position = nextOffset;
    spool.passed('derived', nextOffset);
    const lookingUp = this.#waiting.size > 0 ? this.#lookups.begin() : undefined;
    if (this.#waiting.samples > MAX_WAITING) await lookingUp;
  }

  #derive(entries: readonly SpoolEntry[]): Output {
    const output: Output = { points: [], late: [] };
    const touched = new Map<string, Touched>();
    for (const entry of entries) {
      const { columns, firstPoint, pointEnd } = entry;
      for (let index = firstPoint; index < pointEnd; index++) {
        if (columns.measurementOf(index) !== READINGS) continue;
        const sensor = this.#idOfNow(tagOf(columns.tagsOf(index), 'sensor') ?? '');
        for (const concern of this.#concernsOf(sensor)) {
          const sample = sampleOfPoint(concern.definition, columns, index);
          if (sample !== undefined) this.#take(concern, sensor, sample, entry, { touched, output });
        }
      }
    }
    for (const [id, one] of touched) this.#settle(id, one, output);
    return output;
  }

  #take(
    { definition, id }: Concern,
    sensor: string,
    sample: Sample,
    { isLate, offset }: SpoolEntry,
    { touched, output }: { touched: Map<string, Touched>; output: Output },
  ): void {
    if (definition.kind === 'expression') {
      const value = definition.compute(sample.values);
      if (Number.isFinite(value))
        (isLate ? output.late : output.points).push(derivedPoint(definition, sample, value));
      else this.#metrics.undefinedValues.inc();
      return;
    }
    const news = { sample, isLate };
    const recent = this.#waiting.has(id) ? undefined : this.#recent.get(id);
    if (recent?.add(sample)) {
      const one = touched.get(id) ?? { definition, sensor, recent, samples: new Map(), offset };
      one.samples.set(sample.timeNs, news);
      touched.set(id, one);
      return;
    }
    this.#waiting.add(id, { definition, sensor, offset: touched.get(id)?.offset ?? offset }, news);
    this.#giveToStore(id, touched.get(id));
    touched.delete(id);
  }

  /** What is known is enough no longer: the series waits for the store as a whole. */
  #giveToStore(id: string, touched: Touched | undefined): void {
    this.#recent.delete(id);
    for (const news of touched?.samples.values() ?? []) this.#waiting.add(id, touched!, news);
  }

  /** Derives what has changed of a series by what is known of it. */
  #settle(id: string, touched: Touched, output: Output): void {
    const { definition, recent, samples } = touched;
    const found: { sample: Sample; value: number }[] = [];
    for (const sample of recent.changedBy(samples)) {
      const before = recent.before(sample, definition.withinNs);
      if (before === 'unknown') {
        this.#giveToStore(id, touched);
        return;
      }
      const value = valueOfPair(definition, before.sample, sample);
      if (value !== undefined) found.push({ sample, value });
    }
    for (const { sample, value } of found) {
      const isLate = samples.get(sample.timeNs)?.isLate ?? false;
      (isLate ? output.late : output.points).push(derivedPoint(definition, sample, value));
    }
    recent.trim();
    this.#remember(id, recent);
  }

  #remember(id: string, recent: RecentSamples): void {
    this.#recent.delete(id);
    this.#recent.set(id, recent);
    if (this.#recent.size <= this.#options.config.derivation.maxSeries) return;
    const [oldest] = this.#recent.keys();
    this.#recent.delete(oldest!);
  }

  /** A series that was looked up, with its newest readings, and what has come meanwhile. */
  #knowAgain(
    id: string,
    { definition, sensor, offset }: WaitingSeries,
    recent: RecentSamples,
    lookedUp: WaitingSeries['samples'],
  ): Output {
    const added = this.#waiting.remove(id, lookedUp);
    const touched: Touched = { definition, sensor, recent, samples: new Map(), offset };
    let isEnough = true;
    for (const one of added) {
      touched.samples.set(one.sample.timeNs, one);
      isEnough &&= recent.add(one.sample);
    }
    const output: Output = { points: [], late: [] };
    if (isEnough) this.#settle(id, touched, output);
    else this.#giveToStore(id, touched);
    return output;
  }

  /** One that registered itself in the last second before a crash is unknown until it reports again. */
  #idOfNow(name: string): string {
    return this.#options.registrar.sensor(name)?.id ?? name;
  }

  #concernsOf(sensor: string): readonly Concern[] {
    const known = this.#concerns.get(sensor);
    if (known !== undefined) return known;
    if (this.#concerns.size >= MAX_KNOWN_SENSORS) this.#concerns.clear();
    const found = this.#definitions
      .filter((definition) => definition.concerns(sensor))
      .map((definition) => ({ definition, id: this.#idOf(definition, sensor) }));
    const concerns = found.length === 0 ? none : found;
    this.#concerns.set(sensor, concerns);
    return concerns;
  }

  /** No metric has a slash. */
  #idOf({ metric }: Definition, sensor: string): string {
    return `${metric}/${sensor}`;
  }

  async #advance(isLast: boolean): Promise<void> {
    const { spool, clock } = this.#options;
    const nowMs = clock.monotonicMs();
    if (nowMs - this.#advancedAtMs < SAVE_EVERY_MS && !isLast) return;
    this.#advancedAtMs = nowMs;
    await spool.advance('derived', Math.min(this.#position, this.#waiting.firstOffset));
  }

  async #waitForMore(): Promise<void> {
    const { spool } = this.#options;
    const { signal } = this.#stopping;
    const isSaved = spool.cursor('derived') >= this.#position;
    await spool.waitBeyond(this.#position, signal, isSaved ? undefined : SAVE_EVERY_MS);
    if (spool.endOffset - this.#position >= READ_BYTES) await new Promise(setImmediate);
    else await delay(GATHER_MS, undefined, { signal }).catch(() => {});
  }
}

/** The newest values of a sensor as one reading; undefined when they are of different times. */
function newestSample(
  definition: PairDefinition,
  values: Awaited<ReturnType<Engine['latest']>>,
): Sample | undefined {
  const [first] = values;
  if (first === undefined || values.length < definition.inputs.length) return undefined;
  if (values.some(({ timeNs }) => timeNs !== first.timeNs)) return undefined;
  const numbers = definition.inputs.map((input) => values.find(({ metric }) => metric === input)?.value);
  if (!numbers.every((value) => typeof value === 'number')) return undefined;
  return {
    timeNs: first.timeNs,
    values: numbers,
    tags: tagsOf(first.sensor, first.location),
    key: undefined,
  };
}
