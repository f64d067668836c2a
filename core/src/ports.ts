import type { TidemarkError } from './errors.ts';
import type { TimeUnitName } from './line-numbers.ts';
import type { ParsedPoint } from './line-protocol-parse.ts';
import type { Point } from './point.ts';
import type { PointColumns } from './point-columns.ts';
import type { Location, Sensor } from './sensor.ts';

// What the packages ask of each other without importing each other; `cli` wires them together.

/** Why something that claims to be a reading could not be stored. A closed list: users may match on it. */
export const quarantineReasons = [
  'malformed_json',
  'invalid_utf8',
  'bad_line',
  'wrong_type',
  'missing_value',
  'not_finite',
  'empty',
  'bad_sensor',
  'bad_location',
  'bad_metric',
  'bad_traveller',
  'bad_time',
  'time_out_of_range',
  'too_many_readings',
  'too_many_fields',
  'type_conflict',
  'store_rejected',
  'unknown_sensor',
  'wrong_location',
  'too_many_sensors',
  'too_many_metrics',
  'too_many_series',
  'reserved_measurement',
  'too_long',
  'malformed_protobuf',
  'no_birth',
  'malformed_csv',
  'malformed_cbor',
  'mapping_failed',
  'mapping_timeout',
] as const;

export type QuarantineReason = (typeof quarantineReasons)[number];

/** A message that claims to hold readings, as a source took it in. */
export type Submission = (
  | /**
   * An MQTT message, or a record of Kafka under a topic as MQTT has them, which says how to decode it. A record whose
   * topic says nothing holds flat readings, as HTTP takes them.
   */
  (({ source: 'mqtt' } | { source: 'kafka' }) & {
      topic: string;
      payload: Uint8Array;
      /** True for what a broker kept and sends again to a new subscriber: of readings without a time nobody knows how old they are. */
      isRetained?: boolean | undefined;
      /** Why it cannot be taken whatever it holds, such as that it is too long. */
      problem?: { reason: QuarantineReason; detail: string } | undefined;
      delivery?: Delivery | undefined;
    })
  /** Parsed JSON readings, flat: `{sensor, location?, time?, <metric>: value}`. */
  | { source: 'http' | 'grpc'; topic: string; items: readonly unknown[]; delivery?: Delivery | undefined }
  /** Line protocol, any number of lines; `unit` is that of its timestamps. */
  | {
      source: 'line_protocol';
      topic: string;
      payload: Uint8Array;
      unit: TimeUnitName;
      /** Number of its first line in what it is a part of; 1 by default. */
      firstLine?: number | undefined;
      delivery?: undefined;
    }
  /** A line of the TCP gateway: a JSON object or line protocol. */
  | {
      source: 'tcp';
      topic: string;
      payload: Uint8Array;
      /** Its number in the connection, from 1. */
      line: number;
      /** Why it cannot be taken whatever it holds, such as that it did not end. */
      problem?: { reason: QuarantineReason; detail: string } | undefined;
      delivery?: undefined;
    }
  /** Rows of a file, read where they came in. A time that one brings stands, whatever its sensor's clock. */
  | { source: 'import'; topic: string; rows: readonly ImportedRow[]; delivery?: undefined }
  /** Points that were accepted before, and that the store then refused. */
  | { source: 'store'; topic: string; points: readonly Point[]; delivery?: undefined }
) & {
  /**
   * Set where the submission is replayed from the quarantine: when it was first given, which is the time of its
   * readings that bring none. What is refused again is only answered, since it is in the quarantine already.
   */
  firstGivenNs?: bigint | undefined;
};

/** One row of a file: its point, or why it holds none. */
export type ImportedRow = {
  /** Position in the file, from 0. */
  index: number;
} & (
  | { point: ParsedPoint }
  | { reason: QuarantineReason; detail: string /** The row as it came. */; raw: string | Uint8Array }
);

/**
 * Which delivery a message is, of MQTT by QoS 1 or 2 or of HTTP by an idempotency key: a resent one keeps the time
 * it was first given.
 */
export interface Delivery {
  clientId: string;
  messageId: number;
  isDuplicate: boolean;
  /** When its source first had it, where that says the same at each delivery: the time of readings that bring none. */
  firstNs?: bigint | undefined;
}

/** One refused part of a submission; it is in the quarantine. */
export interface Refusal {
  /** Position in the submission, from 0. */
  index: number;
  code: QuarantineReason;
  detail: string;
}

/** What becomes of a submission, known as soon as it is decoded. */
export interface Outcome {
  /** Ids (`<sensor>@<time in ns>`) of the accepted readings, in order; line-protocol points have none. */
  readonly ids: readonly string[];
  /** How many points were accepted. */
  readonly accepted: number;
  readonly rejected: readonly Refusal[];
}

/**
 * The one way in. Answers at once what becomes of the submission, or, where a mapping's expression reads it, when
 * `done` is called; it holds then. That is exactly once and in the order of the calls (of one client's, where such
 * messages are among them, or of the source's that names none), after everything accepted or quarantined is on stable storage. With an
 * error (`spool_full`, `spool_failed`, `unavailable`: retryable) nothing was kept.
 */
export interface Acceptor {
  accept(submission: Submission, done: (error?: TidemarkError) => void): Outcome;
}

/** Sends messages of the platform's own to devices. */
export interface CommandTopics {
  /** At QoS 0, not retained: who does not listen now misses it. */
  command(topic: string, payload: Uint8Array): void;
}

/** One accepted message in the log. */
export interface JournalEntry {
  /** Where the entry starts; grows with each entry, in bytes. */
  offset: number;
  /** Where the next entry starts. */
  nextOffset: number;
  /** When it was accepted, by the server's clock. */
  acceptedNs: bigint;
  /**
   * True when every point in it came late: behind the newest of its sensor by more than the allowed lateness. A
   * window that was shown as complete before and has such a point is a correction.
   */
  isLate: boolean;
  points: readonly Point[];
}

/** The accepted points in the order of acceptance, readable from any offset that is still held. */
export interface Journal {
  /** Offset of the oldest entry still held. */
  readonly firstOffset: number;
  /** Offset after the newest durable entry. */
  readonly endOffset: number;
  /**
   * Durable entries from `offset` on, in batches, waiting for new ones at the end; ends when `signal`
   * aborts. An offset before `firstOffset` starts at `firstOffset`; the caller sees it by the entry's offset.
   */
  read(offset: number, signal: AbortSignal): AsyncIterable<readonly JournalEntry[]>;
}

/** One accepted message as those read it who read many: its points by column. */
export interface LoggedMessage {
  /** In ms since 1970. */
  readonly acceptedMs: number;
  /** Where its points stand: from `firstPoint` up to `pointEnd`. */
  readonly columns: PointColumns;
  readonly firstPoint: number;
  readonly pointEnd: number;
}

/** Who reads the log behind a durable cursor, apart from acceptance, and skips nothing. */
export interface LogReader<Message = LoggedMessage> {
  /** Where to begin, as it was saved; undefined: where the cursor stands. */
  offset: number | undefined;
  /** How much of what was taken before this run is to be told once more, in bytes. */
  recalledBytes: number;
  /** Takes that, in order, to remember it. */
  recall: (messages: readonly Message[]) => void;
  /** Called behind that, before anything is taken; `from` is the place in the log that it began at. */
  onRecalled?: (from: number) => Promise<void>;
  /** Takes messages, in order, each once for each run; `seenAtMs` is on the monotonic clock. */
  take: (messages: readonly Message[], seenAtMs: number) => void;
  /** True while nothing that comes would change anything: it is passed over unread. */
  isIdle?: () => boolean;
  /** How many rows there are to save; Infinity when it must be at once. */
  unsavedRows: () => number;
  /** Makes everything durable that was taken up to the offset. */
  save: (offset: number) => void;
}

export interface LogFollowing {
  start(): void;
  /** Takes what there is, for a second at most, and saves. */
  stop(): Promise<void>;
  health(): PartHealth;
  /** Up to when everything accepted was taken, on the monotonic clock; undefined until that is so once. */
  readonly caughtUpAtMs: number | undefined;
  /** Waits, for `timeoutMs` at most, until everything accepted before the call is taken and saved. */
  catchUp(timeoutMs: number): Promise<void>;
  /** Saves what was taken and what else was changed; throws when it cannot. */
  save(): void;
}

/** The log as the package `alerts` has it: behind its own durable cursor, and to write the platform's own points. */
export interface AlertsLog {
  follow(reader: LogReader): LogFollowing;
  /** Resolves when the points are durable. Rejects with a retryable `spool_full` or `spool_failed`. */
  append(points: readonly Point[]): Promise<void>;
}

/** Something that was refused, kept with its reason. */
export interface QuarantineItem {
  id: string;
  /** When it was given; what it has to be stored with if it brings no time. */
  timeNs: bigint;
  source: string;
  topic: string;
  reason: QuarantineReason;
  detail: string;
  payload: Uint8Array;
  sensor: string | undefined;
}

/** Which items; what is left out matches all. */
export interface QuarantineFilter {
  reason?: QuarantineReason | undefined;
  source?: string | undefined;
  sensor?: string | undefined;
  topic?: string | undefined;
  /** Inclusive. */
  fromNs?: bigint | undefined;
  /** Exclusive. */
  toNs?: bigint | undefined;
}

/** A place in the order of the items: by time, then by id. */
export type QuarantinePlace = Pick<QuarantineItem, 'timeNs' | 'id'>;

/** The bounds of the quarantine that items go past, oldest first. */
export const quarantineBounds = ['items', 'bytes', 'age'] as const;
export type QuarantineBound = (typeof quarantineBounds)[number];

/** How many items match, by what. */
export interface QuarantineSummary {
  count: number;
  byReason: { reason: QuarantineReason; count: number }[];
  bySource: { source: string; count: number }[];
  /** The sensors with the most; items whose sensor is not known are in none. */
  bySensor: { sensor: string; count: number }[];
  /** Items dropped for each bound, ever and unfiltered. */
  evicted: Record<QuarantineBound, number>;
}

export interface Quarantine {
  /** Newest first, up to `limit`, those behind `before`. */
  list(filter: QuarantineFilter & { limit: number; before?: QuarantinePlace | undefined }): QuarantineItem[];
  get(id: string): QuarantineItem | undefined;
  count(): number;
  summary(filter: Pick<QuarantineFilter, 'reason' | 'source' | 'sensor'>): QuarantineSummary;
  /**
   * Tells of items once they are durable here, in the order they came; each once, except across a crash, which
   * may swallow some. Listeners are called one after another and must not throw. Answers how to end it.
   */
  watch(listener: QuarantineListener): () => void;
}

export type QuarantineListener = (items: readonly QuarantineItem[]) => void;

/** Who asks for a change, and why; both go into the audit log. */
export interface Cause {
  /** Name of the API token, or `local`. */
  actor: string;
  /** In the words of who asked. */
  note?: string | undefined;
}

/** What came of a replay. */
export interface ReplayOutcome {
  /** Items that are on stable storage as readings now, and no longer in the quarantine. */
  replayed: number;
  /** Items refused again; they stay, with their new reasons. */
  refused: number;
  /** The new reasons, and how many items have each. */
  reasons: Partial<Record<QuarantineReason, number>>;
  /** Items that match and were not tried, for the limit. */
  left: number;
  /** Where a next call goes on, when some are left. */
  next: ReplayPlace | undefined;
}

/** How far a replay of many has come; it takes none that were added after it began. */
export interface ReplayPlace extends QuarantinePlace {
  newestId: string;
}

/** What people do about items of the quarantine. Each call leaves a line in the audit log. */
export interface QuarantineDesk {
  /**
   * Gives one item to the acceptor again, with `payload` in place of its own where given; undefined when there is
   * no such item. Throws `spool_full` or `spool_failed` (retryable) when nothing can be accepted; then it stays.
   */
  replay(id: string, cause: Cause, payload?: Uint8Array): Promise<ReplayOutcome | undefined>;
  /** Gives up to `limit` items that match to the acceptor again, oldest first, those behind `after`. */
  replayAll(
    filter: QuarantineFilter & { limit: number; after?: ReplayPlace | undefined },
    cause: Cause,
  ): Promise<ReplayOutcome>;
  /** Removes one item for good; false when there is no such item. */
  discard(id: string, cause: Cause): boolean;
  /** Removes all that match and were there when it was called; answers how many. */
  discardAll(filter: QuarantineFilter, cause: Cause): Promise<number>;
}

/** What somebody changed or removed, for good. */
export interface AuditEntry {
  id: string;
  timeNs: bigint;
  actor: string;
  /** `<part>.<verb>`, such as `quarantine.discard`. */
  action: string;
  /** What it was about: an id or the filter, as asked. */
  target: Readonly<Record<string, string>>;
  /** What came of it. */
  counts: Readonly<Record<string, number>>;
  note: string | undefined;
}

/** The newest of what was changed or removed. */
export interface Audit {
  /** Newest first, up to `limit`, those before the entry with id `before`. */
  list(filter: { action?: string | undefined; limit: number; before?: string | undefined }): AuditEntry[];
}

/** What a sensor's readings, or their absence, are checked for. A closed list: users may match on it. */
export const qualityChecks = [
  'latitude',
  'longitude',
  'range',
  'jump',
  'stuck',
  'clock',
  'late',
  'duplicate',
  'silence',
] as const;

export type QualityCheck = (typeof qualityChecks)[number];

/** How often a sensor failed a check within the range asked for. */
export interface QualityCount {
  sensor: string;
  check: QualityCheck;
  count: number;
  /** Start of the first and the last minute (UTC, by acceptance) in which it failed. */
  firstNs: bigint;
  lastNs: bigint;
}

/** An empty or missing list means all. */
export interface QualityFilter {
  sensors?: readonly string[] | undefined;
  checks?: readonly QualityCheck[] | undefined;
  /** Inclusive, rounded down to the minute. */
  fromNs: bigint;
  /** Exclusive. */
  toNs: bigint;
  limit: number;
  /** Only counts behind this one. */
  after?: { sensor: string; check: string } | undefined;
}

/** The failed checks of the sensors, counted. */
export interface Quality {
  /** By sensor, then check; holds what was accepted before the call, unless the checks are far behind. */
  counts(filter: QualityFilter): Promise<QualityCount[]>;
}

/** The sensors and locations as they are registered now, in memory: asked for each reading. */
export interface SensorDirectory {
  /** By its id, or by one that it had before it was renamed. */
  sensor(id: string): Sensor | undefined;
  sensors(): Iterable<Sensor>;
  location(id: string): Location | undefined;
}

/** How acceptance tells the registry what reports; nothing here waits for a disk. */
export interface SensorRegistrar extends SensorDirectory {
  /** Grows whenever a sensor that may have been asked for is declared, changed or deleted. */
  readonly changes: number;
  /** Ids that sensors had before they were renamed, each with the one of now. */
  readonly renamedIds: ReadonlyMap<string, string>;
  /** Registers a sensor that nobody declared; undefined, and counted, when a limit forbids it. */
  register(id: string, location: string | undefined, metrics: readonly string[]): Sensor | undefined;
  /** Notes what a sensor's messages say of its place; returns the sensor as it is then. */
  reportLocation(sensor: Sensor, location: string): Sensor;
  /** Notes a metric that the sensor reports; undefined, and counted, when it has as many as it may. */
  reportMetric(sensor: Sensor, metric: string): Sensor | undefined;
}

/** How the registry hears of metrics that are computed; nothing here waits for a disk. */
export interface DerivedRegistrar extends SensorDirectory {
  /** Grows whenever a sensor is declared, changed or deleted. */
  readonly changes: number;
  /** Notes it, unless the sensor has as many as it may: then undefined. `unit` stands where nobody declared another. */
  reportDerived(sensor: Sensor, metric: string, unit: string | undefined): Sensor | undefined;
}

/** What the store holds of a sensor, changed in turn with the writing of what was accepted. */
export interface SensorHistory {
  /** Values that the store holds, one for each field and time. Throws `store_unavailable`. */
  count(sensor: string): Promise<number>;
  /** Removes them and answers how many there were. Throws `store_unavailable`: part may be gone then. */
  remove(sensor: string): Promise<number>;
  /**
   * Gives a registered sensor another id, its history with it; what comes under the old one is stored under the
   * new. Resolves when that is done, also after an outage of the store, and leaves a line in the audit log then.
   * Throws, and all is as before, when the id is taken (`conflict`) or the store refuses it for good.
   */
  rename(from: string, to: string, cause: Cause): Promise<void>;
  /** The rename of a sensor, by the id that it has now, that is not done or was refused; undefined when there is none. */
  renameOf(sensor: string): UnfinishedRename | undefined;
}

/** A sensor that was to get another id, and has its own still. */
export interface UnfinishedRename {
  to: string;
  /** `waiting`: it is tried again until the store takes it. `refused`: it is not. */
  state: 'waiting' | 'refused';
  /** What is wrong; undefined while it is tried for the first time. */
  reason: string | undefined;
}

/** Something that went wrong with a device or a part of the platform, told once when it begins and once when it ends. */
export interface Incident {
  /** The same for the beginning and the end: `<kind>:<subject>`. */
  id: string;
  kind: 'device_integrity' | 'service_integrity';
  /** The sensor or the part. */
  subject: string;
  state: 'open' | 'recovered';
  message: string;
  timeNs: bigint;
}

/** Takes incidents to people. */
export interface IncidentSink {
  tell(incident: Incident): void;
}

/** What is stored of one measurement. */
export interface StoredMeasurement {
  measurement: string;
  oldestNs: bigint;
  /** Undefined: kept for ever. */
  maxAgeNs: bigint | undefined;
  /** When its oldest points go by their age. */
  nextPurgeNs: bigint | undefined;
}

/** How much is stored and since when, and what goes next. */
export interface StorageState {
  store: 'embedded' | 'influxdb';
  /** What points take on the disk; undefined where the store does not tell. */
  usedBytes: number | undefined;
  /** What is left on the disk of the data folder. */
  freeBytes: number;
  /** More than this and the oldest points go; undefined without a bound. */
  maxBytes: number | undefined;
  /** By name. */
  measurements: StoredMeasurement[];
  /** The newest that removed something since the start. */
  lastPurge: { timeNs: bigint; points: number } | undefined;
}

export interface Storage {
  /** How long points of a measurement are kept, in ns; undefined: for ever. */
  maxAgeOf(measurement: string): bigint | undefined;
  /** Asks the store, which may take a second; throws a retryable `store_unavailable`. */
  state(): Promise<StorageState>;
}

/** A backup that was begun; it holds the store's file until it is closed. */
export interface BackupRun {
  /** The backup, as `decodeBackup` reads it; closes itself at the end. To be called once. */
  chunks(): AsyncIterable<Uint8Array>;
  /** Ends it, wherever it is; may be called again. */
  close(): Promise<void>;
}

/** Copies of all that the platform holds, made while it runs. */
export interface Backup {
  /**
   * Begins one. What was acknowledged before the call is in it. Throws `conflict` while another is made, or where the
   * store is not ours to copy, and a retryable `store_unavailable`.
   */
  begin(): Promise<BackupRun>;
}

/** Brings queries up to date with what was acknowledged before them. */
export interface Freshness {
  /** Waits up to `timeoutMs` for what is asked to hold all that is durable now; returns the lag left, at least, in ms. */
  flush(timeoutMs: number): Promise<number>;
}

export interface PartHealth {
  /** What is checked: `broker`, `spool`, `store`, … */
  name: string;
  /** `warn`: something outside of the platform fails it; the part itself is well. */
  status: 'pass' | 'warn' | 'fail';
  message: string;
}

/** Checks name and password of an MQTT user, or an API token; without credentials configured, lets all in. */
export interface Access {
  /** True when clients must show credentials. */
  readonly isRequired: boolean;
  checkUser(username: string, password: Uint8Array): Promise<boolean>;
  /** True when a client with this MQTT user's name and the right password is let in. */
  knowsUser(username: string): boolean;
  checkToken(token: string): boolean;
  /** The name of an API token, for the audit log; undefined when there is no such token. */
  tokenName(token: string): string | undefined;
}

/** What a mapping makes of a message, without anything of it being stored. */
export interface MappingExplanation {
  mapping: string;
  /** The topics that it reads, as the configuration has them. */
  topic: string;
  /** What its topic's placeholders stand for in this message. */
  placeholders: Readonly<Record<string, string>>;
  /** As they come from the mapping; what registry, clock and store say of them comes behind it. */
  readings: readonly {
    sensor: string;
    location: string | undefined;
    /** Undefined: the time of acceptance. */
    timeNs: bigint | undefined;
    values: Readonly<Record<string, number | boolean | string>>;
  }[];
  /** Points of line protocol. */
  lines: number;
  /** With no reading and nothing rejected, the mapping leaves the message out. */
  rejected: readonly Refusal[];
}

/** Says what mappings do. */
export interface MappingDesk {
  /** Undefined when no mapping reads the topic. */
  explain(topic: string, payload: Uint8Array): Promise<MappingExplanation | undefined>;
}
