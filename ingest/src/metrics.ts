import {
  Counter,
  Gauge,
  Histogram,
  outageReasons,
  type QuarantineReason,
  quarantineBounds,
  type Registry,
  type Submission,
} from '@tidemark/core';
import type { QuarantineStore } from './quarantine/quarantine-store.ts';

type Source = Submission['source'];
const sources: readonly Source[] = [
  'mqtt',
  'kafka',
  'http',
  'grpc',
  'line_protocol',
  'tcp',
  'import',
  'store',
];

/** What ingest tells Prometheus; the quarantine's counts are by reason, never by sensor. */
export class IngestMetrics {
  readonly batches: Counter;
  readonly storedPoints: Counter;
  readonly storeFailures: Counter;
  readonly storeSeconds: Histogram;
  readonly storeLostBytes: Counter;
  readonly quarantineReplayed: Counter;
  readonly quarantineDiscarded: Counter;
  readonly ownPointsRefused: Counter;
  // Plain numbers, told when Prometheus asks: on the acceptance path each counter of a library shows.
  readonly #counts: Record<Source, { messages: number; points: number }> = {
    mqtt: { messages: 0, points: 0 },
    kafka: { messages: 0, points: 0 },
    http: { messages: 0, points: 0 },
    grpc: { messages: 0, points: 0 },
    line_protocol: { messages: 0, points: 0 },
    tcp: { messages: 0, points: 0 },
    import: { messages: 0, points: 0 },
    store: { messages: 0, points: 0 },
  };
  readonly #quarantined: Counter;
  readonly stampEras: Counter;
  #resent = 0;
  /** Points stored whose own time was far from the clock. */
  readonly offClock = { behind: 0, ahead: 0 };
  /** Points behind the newest of their sensor by more than the allowed lateness. */
  latePoints = 0;
  /** Points that brought a time and were stamped, since their sensor's clock is not trusted. */
  serverTimedPoints = 0;
  /** Readings of retained messages whose time nobody knows. */
  skippedRetained = 0;
  #locationDifferences = 0;

  constructor(registry: Registry, quarantine: Pick<QuarantineStore, 'count' | 'evicted'>) {
    const { offClock } = this;
    const registers = [registry];
    const counts = this.#counts;
    new Counter({
      name: 'tidemark_ingest_messages_total',
      help: 'Messages that held readings or claimed to',
      labelNames: ['source'],
      registers,
      collect() {
        this.reset();
        for (const source of sources) this.inc({ source }, counts[source].messages);
      },
    });
    new Counter({
      name: 'tidemark_ingest_points_total',
      help: 'Points accepted into the spool',
      labelNames: ['source'],
      registers,
      collect() {
        this.reset();
        for (const source of sources) this.inc({ source }, counts[source].points);
      },
    });
    const plain: [name: string, help: string, read: () => number][] = [
      [
        'resent_messages',
        'Messages with readings without a time that came again and got the times they had',
        () => this.#resent,
      ],
      [
        'late_points',
        'Points behind the newest of their sensor by more than the allowed lateness; they are stored',
        () => this.latePoints,
      ],
      [
        'skipped_retained_readings',
        'Readings without a time in retained messages of another broker, which were not stored',
        () => this.skippedRetained,
      ],
      [
        'server_timed_points',
        "Points whose own time was not kept, since their sensor takes the server's",
        () => this.serverTimedPoints,
      ],
    ];
    for (const [name, help, value] of plain)
      new Counter({
        name: `tidemark_ingest_${name}_total`,
        help,
        registers,
        collect() {
          this.reset();
          this.inc(value());
        },
      });
    new Counter({
      name: 'tidemark_ingest_off_clock_points_total',
      help: 'Points stored whose own time was behind or ahead of the clock by more than `lateness.skewMs`',
      labelNames: ['direction'],
      registers,
      collect() {
        this.reset();
        for (const direction of ['behind', 'ahead'] as const) this.inc({ direction }, offClock[direction]);
      },
    });
    this.stampEras = new Counter({
      name: 'tidemark_ingest_stamp_eras_total',
      help: 'Times that the stamps of readings began again at a clock that had been set back',
      registers,
    });
    this.#quarantined = new Counter({
      name: 'tidemark_ingest_quarantined_total',
      help: 'Parts of messages refused, by reason',
      labelNames: ['source', 'reason'],
      registers,
    });
    const locationDifferences = (): number => this.#locationDifferences;
    new Counter({
      name: 'tidemark_ingest_location_differences_total',
      help: 'Readings that named another location than the declared one, which was stored',
      registers,
      collect() {
        this.reset();
        this.inc(locationDifferences());
      },
    });
    this.batches = new Counter({
      name: 'tidemark_store_batches_total',
      help: 'Batches written to the store',
      registers,
    });
    this.storedPoints = new Counter({
      name: 'tidemark_store_points_total',
      help: 'Points written to the store',
      registers,
    });
    this.storeFailures = new Counter({
      name: 'tidemark_store_write_failures_total',
      help: 'Writes to the store that failed and will be repeated, by reason',
      labelNames: ['reason'],
      registers,
    });
    for (const reason of outageReasons) this.storeFailures.inc({ reason }, 0);
    this.storeLostBytes = new Counter({
      name: 'tidemark_store_lost_log_bytes_total',
      help: 'Log that the store had made durable and has lost: written again, or gone from the log too',
      labelNames: ['outcome'],
      registers,
    });
    for (const outcome of ['rewritten', 'gone']) this.storeLostBytes.inc({ outcome }, 0);
    this.storeSeconds = new Histogram({
      name: 'tidemark_store_write_duration_seconds',
      help: 'Time of one batch write',
      buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30],
      registers,
    });
    this.ownPointsRefused = new Counter({
      name: 'tidemark_store_own_points_refused_total',
      help: "Points of the platform's own measurements that the store refused for good",
      registers,
    });
    this.quarantineReplayed = new Counter({
      name: 'tidemark_quarantine_replayed_total',
      help: 'Items given to the acceptor again, by outcome',
      labelNames: ['outcome'],
      registers,
    });
    this.quarantineDiscarded = new Counter({
      name: 'tidemark_quarantine_discarded_total',
      help: 'Items that somebody discarded',
      registers,
    });
    new Counter({
      name: 'tidemark_quarantine_evicted_total',
      help: 'Oldest items dropped to keep the quarantine within a bound, ever',
      labelNames: ['bound'],
      registers,
      collect() {
        this.reset();
        for (const bound of quarantineBounds) this.inc({ bound }, quarantine.evicted[bound]);
      },
    });
    new Gauge({
      name: 'tidemark_quarantine_items',
      help: 'Items in the quarantine',
      registers,
      collect() {
        this.set(quarantine.count());
      },
    });
  }

  /** One message that the log took. */
  count(
    source: Source,
    points: number,
    faults: readonly { reason: QuarantineReason }[],
    isResent: boolean,
  ): void {
    if (isResent) this.#resent++;
    const counts = this.#counts[source];
    counts.messages++;
    counts.points += points;
    for (const { reason } of faults) this.#quarantined.inc({ source, reason });
  }

  /** A reading that named another location than the one declared for its sensor. */
  countLocationDifference(): void {
    this.#locationDifferences++;
  }

  /** A point that the store refused for good. */
  countRefusedByStore(reason: QuarantineReason): void {
    this.#quarantined.inc({ source: 'store', reason });
  }
}
