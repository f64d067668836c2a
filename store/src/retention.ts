import { statfs } from 'node:fs/promises';
import {
  type Clock,
  type Config,
  Counter,
  floorDivide,
  formatTime,
  type Logger,
  messageOf,
  NS_PER_DAY,
  NS_PER_MS,
  parseMaxAge,
  type Registry,
  type Storage,
  type StorageState,
  type StoredMeasurement,
  TidemarkError,
} from '@tidemark/core';
import type { Engine, Expiry } from './engine.ts';

/** The first look comes so soon after the start, which has enough to do. */
const FIRST_LOOK_MS = 60_000;
/** What a purge by size brings the store down to, so that not every look has to purge. */
const TARGET_SHARE = 0.95;
/** Tries to meet the bound in one look: how many bytes old points take is only estimated. */
const MAX_ROUNDS = 5;
const OTHERS = '*';

interface RetentionOptions {
  config: Config;
  engine: Pick<Engine, 'fields' | 'purge' | 'storage' | 'timeOfOldest'>;
  clock: Clock;
  logger: Logger;
  metrics: Registry;
}

type Bound = 'age' | 'bytes';

/**
 * Removes points that are older than their measurement's may be, and the oldest of all when they take more disk than
 * they may. Ages count in whole days of UTC, so that the embedded store drops whole partitions: a point stays for up
 * to a day longer than its age. Nothing waits for it, and without a setting nothing ever goes.
 */
export class Retention implements Storage {
  readonly #options: RetentionOptions;
  readonly #ages: ReadonlyMap<string, bigint>;
  readonly #purged: Counter<'bound'>;
  readonly #failures: Counter;
  #timer: NodeJS.Timeout | undefined;
  #nextLookNs: bigint | undefined;
  #lastPurge: StorageState['lastPurge'];

  constructor(options: RetentionOptions) {
    this.#options = options;
    const rules = options.config.retention.maxAge.flatMap((text) => parseMaxAge(text) ?? []);
    this.#ages = new Map(rules.map(({ measurement, ageNs }) => [measurement, ageNs]));
    const registers = [options.metrics];
    this.#purged = new Counter({
      name: 'tidemark_retention_purged_points_total',
      help: 'Values that retention removed, by the bound that they were past',
      labelNames: ['bound'],
      registers,
    });
    this.#failures = new Counter({
      name: 'tidemark_retention_failures_total',
      help: 'Looks of retention that failed; what was to go is removed by a later one',
      registers,
    });
  }

  /** Throws `config_invalid` where the store cannot keep to a bound. */
  async start(): Promise<void> {
    const { maxBytes, everyMs } = this.#options.config.retention;
    if (maxBytes > 0 && this.#options.config.store.kind === 'influxdb') {
      const path = 'retention.maxBytes';
      const message = 'InfluxDB does not tell how much disk a bucket takes; set retention.maxAge instead';
      throw new TidemarkError('config_invalid', `${path}: ${message}`, { issues: [{ path, message }] });
    }
    if (this.#ages.size > 0 || maxBytes > 0) this.#lookIn(Math.min(FIRST_LOOK_MS, everyMs));
  }

  /** Begins nothing more; a purge that is under way ends with the store. */
  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Removes what is to go now. */
  async look(): Promise<void> {
    const { engine, clock } = this.#options;
    const names = [...new Set((await engine.fields()).map(({ measurement }) => measurement))];
    const today = startOfDay(clock.nowNs());
    const over = names.flatMap((measurement): Expiry[] => {
      const ageNs = this.maxAgeOf(measurement);
      return ageNs === undefined ? [] : [{ measurement, beforeNs: today - ageNs }];
    });
    if (over.length > 0) await this.#purge('age', over);
    await this.#keepWithinSize(names);
  }

  async state(): Promise<StorageState> {
    const { engine, config } = this.#options;
    const { dataDir, store, retention } = config;
    const [{ usedBytes, oldestNs }, { bavail, bsize }] = await Promise.all([
      engine.storage(),
      statfs(dataDir),
    ]);
    const measurements = [...oldestNs].map(([name, timeNs]) => this.#describe(name, timeNs));
    return {
      store: store.kind,
      usedBytes,
      freeBytes: bavail * bsize,
      maxBytes: retention.maxBytes === 0 ? undefined : retention.maxBytes,
      measurements: measurements.sort((a, b) => (a.measurement < b.measurement ? -1 : 1)),
      lastPurge: this.#lastPurge,
    };
  }

  #describe(measurement: string, oldestNs: bigint): StoredMeasurement {
    const maxAgeNs = this.maxAgeOf(measurement);
    if (maxAgeNs === undefined) return { measurement, oldestNs, maxAgeNs, nextPurgeNs: undefined };
    // It is past the age of a look's day, not of its hour.
    const dueNs = startOfDay(oldestNs + maxAgeNs) + NS_PER_DAY;
    const nextPurgeNs = this.#nextLookNs === undefined || dueNs > this.#nextLookNs ? dueNs : this.#nextLookNs;
    return { measurement, oldestNs, maxAgeNs, nextPurgeNs };
  }

  maxAgeOf(measurement: string): bigint | undefined {
    return this.#ages.get(measurement) ?? this.#ages.get(OTHERS);
  }

  #lookIn(delayMs: number): void {
    const { clock, config, logger } = this.#options;
    this.#nextLookNs = clock.nowNs() + BigInt(delayMs) * NS_PER_MS;
    this.#timer = setTimeout(() => {
      const timer = this.#timer;
      this.look()
        .catch((error: unknown) => {
          if (this.#timer === undefined) return;
          this.#failures.inc();
          logger.error({ err: messageOf(error) }, 'retention could not purge; it is tried again');
        })
        .finally(() => {
          if (this.#timer === timer && timer !== undefined) this.#lookIn(config.retention.everyMs);
        });
    }, delayMs);
    this.#timer.unref();
  }

  async #keepWithinSize(names: readonly string[]): Promise<void> {
    const { engine, config, logger } = this.#options;
    const { maxBytes } = config.retention;
    if (maxBytes === 0) return;
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const { usedBytes = 0 } = await engine.storage();
      if (usedBytes <= maxBytes) return;
      const beforeNs = await engine.timeOfOldest(usedBytes - maxBytes * TARGET_SHARE);
      if (beforeNs === undefined) break;
      const over = names.map((measurement) => ({ measurement, beforeNs }));
      if ((await this.#purge('bytes', over)) === 0) break;
    }
    const { usedBytes } = await engine.storage();
    if (usedBytes !== undefined && usedBytes > maxBytes)
      logger.warn({ usedBytes, maxBytes }, 'the store takes more disk than it may; the next look goes on');
  }

  async #purge(bound: Bound, over: readonly Expiry[]): Promise<number> {
    const { engine, clock, logger } = this.#options;
    const { points } = await engine.purge(over);
    if (points === 0) return 0;
    this.#purged.inc({ bound }, points);
    this.#lastPurge = { timeNs: clock.nowNs(), points };
    const before = Object.fromEntries(over.map((one) => [one.measurement, formatTime(one.beforeNs)]));
    logger.info({ bound, points, before }, 'points that are past their retention were removed');
    return points;
  }
}

function startOfDay(timeNs: bigint): bigint {
  return floorDivide(timeNs, NS_PER_DAY) * NS_PER_DAY;
}
