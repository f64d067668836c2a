import { join } from 'node:path';
import type {
  Acceptor,
  AlertsLog,
  Backup as BackupPort,
  Clock,
  CommandTopics,
  Config,
  Derivation,
  Freshness,
  IncidentSink,
  IngestTrace,
  Journal,
  Logger,
  PartHealth,
  Quality as QualityPort,
  Quarantine,
  QuarantineDesk,
  Registry,
  SensorHistory,
} from '@tidemark/core';
import type { AuditLog, Engine, MetaDb, SensorRegistry } from '@tidemark/store';
import { appendOwn } from './append-own.ts';
import { Backup } from './backup.ts';
import { BatchWriter } from './batch-writer.ts';
import { ClockLimits } from './clock-limits.ts';
import { Sparkplug } from './decoders/sparkplug/sparkplug.ts';
import { DeliveryMemory } from './delivery-memory.ts';
import { Deriver } from './derived/deriver.ts';
import { Downsampling } from './downsampling/downsampling.ts';
import { FieldPins } from './field-pins.ts';
import { SpoolJournal } from './journal.ts';
import { Lateness } from './lateness.ts';
import { LogFollower } from './log-follower.ts';
import { Mappings } from './mappings/mappings.ts';
import { IngestMetrics } from './metrics.ts';
import { Pipeline } from './pipeline.ts';
import { Placement } from './placement.ts';
import { FailureCounts } from './quality/failure-counts.ts';
import { Quality } from './quality/quality.ts';
import { Desk } from './quarantine/desk.ts';
import { QuarantineStore } from './quarantine/quarantine-store.ts';
import { QuarantineWriter } from './quarantine/quarantine-writer.ts';
import { Spool } from './spool/spool.ts';
import { Stamper } from './stamper.ts';
import { StoredHistory } from './stored-history.ts';
import { Tracer } from './trace/tracer.ts';
import { TravellerPoints } from './travellers/traveller-points.ts';

interface IngestOptions {
  config: Config;
  clock: Clock;
  logger: Logger;
  metrics: Registry;
  engine: Engine;
  meta: MetaDb;
  registrar: SensorRegistry;
  audit: AuditLog;
  incidents: IncidentSink;
  /** Where edge nodes are asked for their births. */
  topics: CommandTopics;
}

/** An action must not wait long for its reading. */
const alertsReading = {
  cursor: 'alerts',
  gatherMs: 10,
  texts: {
    begun: 'rules cannot be evaluated; readings stay in the spool and it is tried again',
    lasting: 'rules still cannot be evaluated',
    ended: 'rules are evaluated again',
    working: 'evaluating',
  },
} as const;

/** Everything between a source and the store: acceptance, the log, the quarantine, the batch writer. */
export class Ingest {
  readonly quarantine: Quarantine;
  readonly journal: Journal;
  readonly freshness: Freshness;
  readonly quarantineFreshness: Freshness;
  readonly history: SensorHistory;
  readonly quality: QualityPort;
  readonly backup: BackupPort;
  readonly alertsLog: AlertsLog;
  /** Which topics hold readings, and what mappings make of them. */
  readonly mappings: Mappings;
  readonly #options: IngestOptions;
  readonly #metrics: IngestMetrics;
  readonly #store: QuarantineStore;
  readonly #spool: Spool;
  readonly #deliveries = new DeliveryMemory();
  readonly #lateness: Lateness;
  readonly #batchWriter: BatchWriter;
  readonly #history: StoredHistory;
  readonly #backup: Backup;
  readonly #quarantineWriter: QuarantineWriter;
  readonly #downsampling: Downsampling;
  readonly #quality: Quality;
  readonly #sparkplug: Sparkplug;
  readonly derivation: Derivation;
  readonly #deriver: Deriver;
  #pipeline: Pipeline | undefined;
  #tracer: Tracer | undefined;
  #desk: Desk | undefined;

  constructor(options: IngestOptions) {
    const { config, logger, metrics, meta } = options;
    this.#options = options;
    this.mappings = new Mappings({
      mappings: config.mappings,
      limits: config.ingest,
      expressions: config.mapping,
      metrics,
      logger,
    });
    const store = new QuarantineStore({ ...options, ...config.quarantine, db: meta });
    this.quarantine = store;
    this.#metrics = new IngestMetrics(metrics, store);
    this.#lateness = new Lateness(config.lateness);
    const counts = new FailureCounts(meta);
    this.#spool = new Spool({
      directory: join(config.dataDir, 'spool'),
      ...config.spool,
      leastOffset: Math.max(store.behindNewest, counts.progress()?.offset ?? 0),
      onRecovered: (record) => {
        if (record.stamps?.delivery) this.#deliveries.recall(record.stamps.delivery);
        this.#lateness.recall(record);
      },
      clock: options.clock,
      logger,
      metrics,
    });
    this.#sparkplug = new Sparkplug({ ...options, directory: options.registrar });
    this.journal = new SpoolJournal(this.#spool);
    this.alertsLog = {
      follow: (reader) => new LogFollower({ ...options, ...reader, ...alertsReading, spool: this.#spool }),
      append: (points) => appendOwn({ ...options, spool: this.#spool }, points),
    };
    this.#quality = new Quality({
      ...options,
      spool: this.#spool,
      directory: options.registrar,
      counts,
    });
    this.quality = this.#quality;
    // What the acceptor refuses is counted from the log, as readings are; what the store refuses never comes by there.
    store.watch((items) => this.#quality.countRefused(items.filter(({ source }) => source === 'store')));
    this.#downsampling = new Downsampling({ ...options, between: (work) => this.#batchWriter.between(work) });
    const travellers = new TravellerPoints({ ...options, ...config.travellers });
    this.#batchWriter = new BatchWriter({
      travellers,
      onWritten: (points) => this.#downsampling.noteWritten(points),
      beforeSave: () => this.#downsampling.save(),
      ...options,
      ...config.ingest,
      spool: this.#spool,
      quarantine: store,
      metrics: this.#metrics,
      renamedIds: options.registrar.renamedIds,
    });
    this.freshness = this.#batchWriter;
    this.#deriver = new Deriver({ ...options, spool: this.#spool, freshness: this.freshness });
    this.derivation = this.#deriver.derivation;
    this.#backup = new Backup({
      ...options,
      dataDir: config.dataDir,
      spool: this.#spool,
      writer: this.#batchWriter,
    });
    this.backup = this.#backup;
    this.#history = new StoredHistory({
      ...options,
      registry: options.registrar,
      writer: this.#batchWriter,
      onChanged: (sensor) => travellers.forget(sensor),
    });
    this.history = this.#history;
    this.#quarantineWriter = new QuarantineWriter({ ...options, spool: this.#spool, store });
    this.quarantineFreshness = this.#quarantineWriter;
    this.#store = store;
  }

  /** Recovers the log, then takes up writing where the cursors stand. The engine must have started. */
  async start(): Promise<void> {
    const { clock, config, registrar, logger } = this.#options;
    await this.#backup.start();
    await this.#spool.start();
    await this.#batchWriter.takeBack();
    const stamper = new Stamper(this.#spool.lastStampNs, (byNs) => {
      this.#metrics.stampEras.inc();
      const byMs = Number(byNs / 1_000_000n);
      logger.warn({ byMs }, 'the clock is behind the times given before; readings without one follow it');
    });
    const parts = {
      stamper,
      deliveries: this.#deliveries,
      lateness: this.#lateness,
      sparkplug: this.#sparkplug,
      pins: await this.#loadPins(),
      mappings: this.mappings,
      clock,
      limits: config.ingest,
    };
    this.#pipeline = new Pipeline({
      ...parts,
      spool: this.#spool,
      clockLimits: new ClockLimits({
        ...config.ingest,
        ...config.lateness,
        offClock: this.#metrics.offClock,
      }),
      placement: new Placement({ registrar, limits: config.registry, metrics: this.#metrics }),
      metrics: this.#metrics,
    });
    this.#tracer = new Tracer({
      ...this.#options,
      parts,
      registry: registrar,
      spool: this.#spool,
      writer: this.#batchWriter,
    });
    this.#desk = new Desk({
      ...this.#options,
      store: this.#store,
      acceptor: this.#pipeline,
      claims: this.mappings.claims,
      freshness: this.freshness,
      metrics: this.#metrics,
    });
    this.#downsampling.takeUp();
    this.#history.start();
    this.#batchWriter.start();
    this.#quarantineWriter.start();
    this.#quality.start();
    this.#downsampling.start();
    await this.#deriver.start();
  }

  /** What is not known while the store is out, the store finds when it is written. */
  async #loadPins(): Promise<FieldPins> {
    const { config, engine, logger } = this.#options;
    const pins = new FieldPins(config.store.typePolicy);
    try {
      for (const field of await engine.fields()) pins.pin(field);
    } catch (error) {
      logger.warn({ err: error }, 'the types of fields are not known yet: conflicts show in the quarantine');
    }
    return pins;
  }

  /** Ends with everything accepted in the log, and in the store if that takes it in time. Sources must have stopped. */
  async stop(): Promise<void> {
    await this.mappings.stop();
    await this.#spool.drain();
    await this.#deriver.stop();
    this.#history.stop();
    await this.#downsampling.stop();
    await this.#batchWriter.stop();
    await this.#quarantineWriter.stop();
    await this.#quality.stop();
    await this.#spool.stop();
  }

  get acceptor(): Acceptor {
    if (!this.#pipeline) throw new Error('ingest has not started');
    return this.#pipeline;
  }

  get tracer(): IngestTrace {
    if (!this.#tracer) throw new Error('ingest has not started');
    return this.#tracer;
  }

  get desk(): QuarantineDesk {
    if (!this.#desk) throw new Error('ingest has not started');
    return this.#desk;
  }

  health(): PartHealth[] {
    return [
      this.#spool.health(),
      this.#batchWriter.health(),
      this.#history.health(),
      this.#downsampling.health(),
      this.#quarantineWriter.health(),
      this.#quality.health(),
      ...this.#deriver.health(),
    ];
  }
}
