import { setTimeout as delay } from 'node:timers/promises';
import {
  type Clock,
  type Config,
  type IncidentSink,
  idProblem,
  type Logger,
  type PartHealth,
  type Point,
  type PointColumns,
  type QualityCheck,
  type QualityCount,
  type QualityFilter,
  type Quality as QualityPort,
  type QuarantineItem,
  type Registry,
  type SensorDirectory,
} from '@tidemark/core';
import type { Engine, MetaDb } from '@tidemark/store';
import { appendOwn } from '../append-own.ts';
import { LogFollower } from '../log-follower.ts';
import { Outage } from '../outage.ts';
import { decodeRefusal, type RefusedPart } from '../quarantine/refusal.ts';
import type { SpoolEntry } from '../spool/entry.ts';
import { recordKinds } from '../spool/record.ts';
import type { Spool } from '../spool/spool.ts';
import { EarlierValues } from './earlier-values.ts';
import type { FailureCounts } from './failure-counts.ts';
import { IncidentOutbox } from './incident-outbox.ts';
import { type Failure, Integrity } from './integrity.ts';
import { MetricWriter } from './metric-writer.ts';
import { QualityMetrics } from './metrics.ts';
import { MinuteWriter } from './minute-writer.ts';
import { Presence } from './presence.ts';
import { ReadingChecks } from './reading-checks.ts';
import { SensorStates } from './sensor-states.ts';

/** Nobody waits for what the checks find. */
const GATHER_MS = 50;
/** What was checked before this run and is read once more: some 90 000 small messages, a third of a second's work. */
const RECALLED_BYTES = 8 * 1024 * 1024;
/** How often sensors are looked at for silence and recovery. */
const LOOK_EVERY_MS = 5000;
/** How long a question waits for readings that were accepted before it. */
const CATCH_UP_MS = 250;
/** Older data open no incident: replaying a recording of years ago must not send anyone to a sensor. */
const OLD_MS = 10 * 60_000;
/** How long the checks wait for what the store knows from before the start. */
const TAKE_UP_WITHIN_MS = 5000;

interface QualityOptions {
  config: Config;
  clock: Clock;
  logger: Logger;
  metrics: Registry;
  spool: Spool;
  engine: Pick<Engine, 'fields' | 'latest' | 'windows'>;
  meta: MetaDb;
  directory: SensorDirectory;
  incidents: IncidentSink;
  counts: FailureCounts;
  lookEveryMs?: number;
}

/**
 * Data quality: reads the log apart from acceptance, counts what fails a check, and tells of failing sensors.
 * What was counted is saved with the place in the log, so that every reading is checked and counts once.
 */
export class Quality implements QualityPort {
  readonly #options: QualityOptions;
  readonly #metrics: QualityMetrics;
  readonly #states: SensorStates;
  readonly #checks: ReadingChecks;
  readonly #earlier: EarlierValues;
  readonly #integrity: Integrity;
  readonly #makesIncident: ReadonlySet<QualityCheck>;
  readonly #stopping = new AbortController();
  #follower: LogFollower | undefined;
  #presence!: Presence;
  #minutes!: MinuteWriter;
  #metricLists!: MetricWriter;
  #looking: Promise<void> | undefined;
  #writing: Promise<void> | undefined;
  readonly #outages: Record<'looking' | 'telling' | 'writing', Outage>;
  /** What is being read. */
  #entry!: SpoolEntry;
  #hasFailed = false;
  /** True while readings are only remembered that were checked before. */
  #isRecalling = false;

  constructor(options: QualityOptions) {
    const { config, meta, metrics } = options;
    this.#options = options;
    const outageOf = (what: string): Outage => {
      const texts = {
        begun: `${what} fails; it is tried again`,
        lasting: `${what} still fails`,
        ended: `${what} works again`,
      };
      return new Outage({ ...options, figures: () => ({}), texts });
    };
    this.#outages = {
      looking: outageOf('looking for silent and stuck sensors'),
      telling: outageOf('telling of failing sensors'),
      writing: outageOf('writing the measurements of data quality'),
    };
    this.#makesIncident = new Set(config.quality.incidentChecks);
    this.#states = new SensorStates({
      maxSensors: config.quality.maxSensors,
      onForgotten: (sensors) => this.#metrics.forgottenSensors.inc(sensors),
    });
    const outbox = new IncidentOutbox({ db: meta, sink: options.incidents });
    this.#integrity = new Integrity({ ...options, db: meta, outbox });
    this.#metrics = new QualityMetrics(metrics, {
      openIncidents: () => this.#integrity.openCount,
      trackedSensors: () => this.#states.size,
    });
    this.#checks = new ReadingChecks({
      ...options,
      states: this.#states,
      onFailure: (sensor, check, ageMs) => {
        if (!this.#isRecalling) this.#failed(sensor, check, ageMs, this.#entry.acceptedNs);
      },
    });
    this.#earlier = new EarlierValues({
      ...options,
      checks: this.#checks,
      onStuck: (sensor, ageMs) => this.#failed(sensor, 'stuck', ageMs, options.clock.nowNs()),
    });
  }

  /** Goes on where the last run has saved; the log and the store must have started. */
  start(): void {
    const { counts } = this.#options;
    const progress = counts.progress();
    const lastRanNs = progress?.savedNs;
    this.#presence = new Presence({
      ...this.#options,
      states: this.#states,
      lastRanNs,
      onSilence: (sensor, times) => this.#fellSilent(sensor, times),
    });
    const append = (points: readonly Point[]) => appendOwn(this.#options, points);
    this.#minutes = new MinuteWriter({
      ...this.#options,
      presence: this.#presence,
      states: this.#states,
      append,
    });
    this.#metricLists = new MetricWriter({ ...this.#options, append });
    this.#follower = new LogFollower({
      ...this.#options,
      cursor: 'quality',
      gatherMs: GATHER_MS,
      texts: {
        begun: 'readings cannot be checked; they stay in the spool and it is tried again',
        lasting: 'readings still cannot be checked',
        ended: 'readings are checked again',
        working: 'checking',
      },
      offset: progress?.offset,
      recalledBytes: RECALLED_BYTES,
      recall: (entries) => this.#recall(entries),
      onRecalled: (from) => this.#takeUp(from),
      take: (entries, seenAtMs) => this.#take(entries, seenAtMs),
      unsavedRows: () => counts.unsavedRows + this.#integrity.unsavedRows,
      save: (offset) => this.#save(offset),
    });
    this.#integrity.start();
    this.#follower.start();
    this.#looking = this.#lookOften();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#looking;
    await this.#follower?.stop();
    for (const outage of Object.values(this.#outages)) outage.stop();
  }

  health(): PartHealth {
    return this.#follower?.health() ?? { name: 'quality', status: 'fail', message: 'not started' };
  }

  async counts(filter: QualityFilter): Promise<QualityCount[]> {
    await this.#follower?.catchUp(CATCH_UP_MS);
    return this.#options.counts.counts(filter);
  }

  /** Counts refusals that are not in the log. */
  countRefused(items: readonly QuarantineItem[]): void {
    for (const item of items) this.#refused(item, item.timeNs);
  }

  #take(entries: readonly SpoolEntry[], seenAtMs: number): void {
    for (const entry of entries) {
      this.#entry = entry;
      const { acceptedMs, isLate, columns, pointEnd } = entry;
      if (entry.kind === recordKinds.refusal) {
        this.#refused(decodeRefusal(entry.payload), entry.acceptedNs);
        continue;
      }
      const acceptance = { acceptedMs, isLate, seenAtMs };
      for (let index = entry.firstPoint; index < pointEnd; index++) {
        this.#hasFailed = false;
        const sensor = this.#checks.check(columns, index, acceptance);
        if (sensor === undefined) this.#noteDeath(columns, index);
        else if (!this.#hasFailed) this.#integrity.reported(sensor);
      }
    }
  }

  #recall(entries: readonly SpoolEntry[]): void {
    this.#isRecalling = true;
    for (const { acceptedMs, isLate, columns, firstPoint, pointEnd } of entries)
      for (let index = firstPoint; index < pointEnd; index++)
        if (!this.#checks.check(columns, index, { acceptedMs, isLate, seenAtMs: Number.NEGATIVE_INFINITY }))
          this.#checks.death(columns, index);
    this.#isRecalling = false;
  }

  /** From the store, unless it is so far behind that its newest values are not the last before the recalled ones. */
  async #takeUp(from: number): Promise<void> {
    if (this.#options.spool.cursor('store') < from) return;
    const { signal } = this.#stopping;
    const timeout = delay(TAKE_UP_WITHIN_MS, undefined, { signal, ref: false }).catch(() => {});
    await Promise.race([this.#earlier.takeUp(), timeout]);
  }

  #failed(sensor: string, check: QualityCheck, ageMs: number, timeNs: bigint): void {
    this.#hasFailed = true;
    this.#metrics.count(check, 1);
    this.#options.counts.add('quality', timeNs, sensor, check);
    if (this.#makesIncident.has(check) && ageMs <= OLD_MS)
      this.#countTowardsIncident({ sensor, cause: check, timeNs });
  }

  #refused(
    { source, reason, sensor }: Pick<RefusedPart, 'source' | 'reason' | 'sensor'>,
    timeNs: bigint,
  ): void {
    this.#options.counts.add('quarantine', timeNs, source, reason);
    // What claims to be a sensor's name may be anything.
    if (sensor === undefined || idProblem(sensor) !== undefined) return;
    if (this.#options.directory.sensor(sensor) !== undefined)
      this.#options.counts.add('refusals', timeNs, sensor, 'refused');
    this.#countTowardsIncident({ sensor, cause: reason, timeNs });
  }

  /** Silence that nobody has to wait for. */
  #noteDeath(columns: PointColumns, index: number): void {
    const sensor = this.#checks.death(columns, index);
    if (sensor !== undefined) this.#fellSilent(sensor, 1);
  }

  #fellSilent(sensor: string, times: number): void {
    if (!this.#options.config.quality.checks.includes('silence')) return;
    const timeNs = this.#options.clock.nowNs();
    this.#metrics.count('silence', times);
    this.#options.counts.add('quality', timeNs, sensor, 'silence', times);
    if (this.#makesIncident.has('silence'))
      this.#countTowardsIncident({ sensor, cause: 'silence', timeNs, isEnough: true });
  }

  #countTowardsIncident(failure: Failure): void {
    const state = this.#options.directory.sensor(failure.sensor)?.state ?? 'active';
    if (state === 'active') this.#integrity.failed(failure);
  }

  /** Incidents first: found again after a crash, they are known to be told. */
  #save(offset: number): void {
    const { counts, clock } = this.#options;
    this.#integrity.flush();
    const progress = { offset, savedNs: clock.nowNs() };
    this.#metrics.evictedCounts.inc(counts.save(progress, () => this.#integrity.saveRecent()));
    this.#integrity.noteSaved();
  }

  async #lookOften(): Promise<void> {
    const { signal } = this.#stopping;
    const { lookEveryMs = LOOK_EVERY_MS } = this.#options;
    while (!signal.aborted) {
      await attempt(this.#outages.looking, () => this.#look());
      await attempt(this.#outages.telling, () => this.#tell());
      // Not waited for: a full disk holds it, and what frees the disk is this cursor too.
      this.#writing ??= attempt(this.#outages.writing, () => this.#write()).finally(() => {
        this.#writing = undefined;
      });
      await delay(lookEveryMs, undefined, { signal }).catch(() => {});
    }
  }

  async #write(): Promise<void> {
    await this.#minutes.write();
    await this.#metricLists.write();
  }

  async #look(): Promise<void> {
    const upToMs = this.#follower?.caughtUpAtMs;
    if (upToMs === undefined) return;
    await this.#presence.look(upToMs);
    await this.#earlier.look();
  }

  #tell(): void {
    this.#integrity.look();
    this.#integrity.flush();
    this.#follower?.save();
  }
}

async function attempt(outage: Outage, work: () => Promise<void> | void): Promise<void> {
  try {
    await work();
    outage.ended();
  } catch (error) {
    outage.failed(error);
  }
}
