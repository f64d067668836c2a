import type {
  FieldType,
  Fill,
  MetricValue,
  Point,
  PointColumns,
  QuarantineReason,
  Reading,
  Window,
  WindowFunction,
  WindowTag,
} from '@tidemark/core';
import type { Statement } from '@tidemark/influxql';
import type { TravellerWindows } from './traveller-windows.ts';
import type { TravellerStay, TravellerStaysQuery, TravellerWindowsQuery } from './travellers.ts';

/** Which readings: an empty or missing list means all. */
export interface ReadingFilter {
  sensors?: readonly string[] | undefined;
  locations?: readonly string[] | undefined;
  metrics?: readonly string[] | undefined;
}

export interface ReadingsQuery extends ReadingFilter {
  /** Inclusive. */
  fromNs: bigint;
  /** Exclusive. */
  toNs: bigint;
  /** By time, then by sensor in code-point order; `desc` turns both round. */
  order: 'asc' | 'desc';
  /** Most readings to answer. */
  limit: number;
  /** Only readings that come after this one in the order asked for. */
  after?: { timeNs: bigint; sensor: string } | undefined;
}

/** What identifies a reading. */
export type ReadingKey = Pick<Reading, 'sensor' | 'timeNs'>;

/** The newest value of one metric of one sensor. */
export interface LatestValue {
  sensor: string;
  location: string | undefined;
  metric: string;
  value: MetricValue;
  timeNs: bigint;
}

export interface WindowsQuery extends ReadingFilter {
  /** Inclusive. */
  fromNs: bigint;
  /** Exclusive; points outside never count, so the windows at the ends may be partial. */
  toNs: bigint;
  /**
   * Length of a window. Windows are aligned to the epoch, or to midnight of `timeZone`. Undefined makes one window
   * of the whole range, which starts at `fromNs`.
   */
  everyNs: bigint | undefined;
  /** IANA name; undefined means UTC. */
  timeZone: string | undefined;
  functions: readonly WindowFunction[];
  by: readonly WindowTag[];
  fill: Fill;
}

/** Windows in order; some stores make them only as they are asked for, so that they are not in memory all at once. */
export interface Windows extends Iterable<Window> {
  readonly length: number;
}

/** Which points: those of the listed measurements, of any tags and types. */
export interface PointsQuery extends ReadingFilter {
  /** None is no point. */
  measurements: readonly string[];
  /** Inclusive. */
  fromNs: bigint;
  /** Exclusive. */
  toNs: bigint;
}

/** A point the store will never take, as it is; the rest of its batch was written. */
export interface RejectedPoint {
  /** Position in the batch. */
  index: number;
  reason: Extract<QuarantineReason, 'type_conflict' | 'store_rejected' | 'too_many_series'>;
  detail: string;
}

export interface StoreStatus {
  /** False when the store cannot be reached or written. */
  isHealthy: boolean;
  message: string;
  /** Number of series, where the store knows it. */
  series?: number | undefined;
  /** Bytes on disk, where the store knows them. */
  diskBytes?: number | undefined;
}

/** What is to be removed: a measurement's points before a time. */
export interface Expiry {
  measurement: string;
  beforeNs: bigint;
}

/** How much there is, and since when. */
export interface StorageReport {
  /** Bytes that points take, free room in the file not counted; undefined where the store does not tell. */
  usedBytes: number | undefined;
  /** Time of the oldest point of each measurement that has any. */
  oldestNs: ReadonlyMap<string, bigint>;
}

/** The store's file as it was at one moment, while it is written to. */
export interface StoreSnapshot {
  bytes: number;
  /** Throws a retryable `unavailable` when the file could not be held for so long. */
  read(position: number, length: number): Promise<Uint8Array>;
  release(): void;
}

/**
 * Where points are kept. Numbers of a metric are floats (booleans are 0 and 1); text metrics are in
 * `<metric>_text` and take part in readings and latest, not in windows.
 */
export interface Engine {
  start(): Promise<void>;
  /** Lets running calls end, makes everything durable, releases the files. */
  stop(): Promise<void>;

  /**
   * Writes points. Idempotent: the identity is series + field + time, the last write wins, and later in the
   * batch is later. The first value of a field pins its type in the measurement for all time; a point with
   * another is refused whole, as `type_conflict`. A store that keeps its series in this process's memory bounds
   * them, and refuses a point that would bring one more, as `too_many_series`. One call at a time. Resolves when queries see the points (not yet durable: `sync`).
   * Rejects with a retryable TidemarkError (`store_unavailable`) when nothing can be said of any point;
   * the caller then writes the same batch again.
   */
  write(points: readonly Point[] | PointColumns): Promise<readonly RejectedPoint[]>;

  /**
   * Resolves when everything written before the call is on stable storage. An engine that owns its files keeps
   * `position`, the offset in the spool that this is up to, with the data: what the files lose, it loses too.
   */
  sync(position: number): Promise<void>;

  /** The position of the newest `sync` that is in the data; undefined when there was none, or none is kept. */
  position(): Promise<number | undefined>;

  /** How many values the platform's own measurements hold of a sensor, one for each field and time. */
  countSensor(sensor: string): Promise<number>;

  /**
   * Removes, durably, all that the platform's own measurements hold of a sensor; another measurement's tag
   * `sensor` is its writer's business. `points` counts values, one for each field and time. Nothing there is 0
   * points. Writes wait meanwhile. What is written afterwards, by a replay of the spool too, is there again.
   * Rejects with a retryable `store_unavailable`; part may be gone then, and the call can be repeated.
   */
  deleteSensor(sensor: string): Promise<{ points: number }>;

  /**
   * Brings, durably, all that the platform's own measurements hold of `from` under the name `to`. Nothing there
   * is no error. Rejects with `conflict` when both have data, and with a retryable `store_unavailable`, after
   * which the call can be repeated. Writes through this engine wait meanwhile; no other process may write `from`.
   */
  renameSensor(from: string, to: string): Promise<void>;

  /**
   * Readings in order; the fields of one sensor at one time are one reading. Of several locations at that time
   * the last in code-point order stands, none being the first, and its value where both have the metric.
   */
  readings(query: ReadingsQuery): Promise<Reading[]>;

  /**
   * The readings of these sensors at these times, in the order asked for; undefined where there is none. Many at a time
   * cost little more than one.
   */
  readingsAt(keys: readonly ReadingKey[]): Promise<(Reading | undefined)[]>;

  /** The newest value of each sensor and metric, by sensor, then metric. */
  latest(filter: ReadingFilter): Promise<LatestValue[]>;

  /** Windows ordered by metric, then the `by` tags, then time. `metrics` empty means every numeric one. */
  windows(query: WindowsQuery): Promise<Windows>;

  /**
   * What went on at each sensor, by type and window, windows in which nothing was included. Rejects with `bad_request`
   * for more than MAX_WINDOWS.
   */
  travellerWindows(query: TravellerWindowsQuery): Promise<TravellerWindows>;

  /**
   * Stays in order, as far as they are in the range. May reject with a retryable
   * `unavailable` where the range holds more than the store's memory.
   */
  travellerStays(query: TravellerStaysQuery): Promise<TravellerStay[]>;

  /**
   * All that is stored and matches, in pages of some 30 000 values and some MB, however much it is: each value once, in no
   * promised order, a point with any part of the fields of its time. What is written or removed meanwhile may be
   * missing. `metrics` are names of fields, text ones with or without `_text`. Rejects with `conflict` when InfluxDB
   * holds a field in several types.
   */
  points(query: PointsQuery): AsyncIterable<readonly Point[]>;

  readonly influxql: InfluxqlPort;

  /** Measurements with their fields' types. */
  fields(): Promise<{ measurement: string; field: string; type: FieldType }[]>;

  status(): Promise<StoreStatus>;

  /** What retention goes by. May take a second on a large store. */
  storage(): Promise<StorageReport>;

  /**
   * Removes, durably, the points of each measurement before its time, and series that have none left, while writes
   * and queries go on. `points` counts values, one for each field and time. What is written from before that time
   * afterwards is there until the next call. Rejects with a retryable `store_unavailable`; part may be gone then.
   */
  purge(expiries: readonly Expiry[]): Promise<{ points: number }>;

  /**
   * The store's file with all that was written before, held until it is released; one at a time. Rejects with
   * `conflict` where the store is a server's, and with a retryable `store_unavailable`.
   */
  snapshot(): Promise<StoreSnapshot>;

  /** A time that the oldest `bytes` of all points are before, roughly; undefined where the store does not tell. */
  timeOfOldest(bytes: number): Promise<bigint | undefined>;
}

/** How a store answers InfluxQL: itself, or by passing what is asked on to a server that speaks it. */
export type InfluxqlPort =
  | {
      kind: 'own';
      /**
       * Answers one statement. Throws QueryError where InfluxDB answers with an error, and a retryable
       * `store_unavailable` or `unavailable`.
       */
      answer(statement: Statement, options: QueryOptions): Promise<QuerySeries[]>;
    }
  | {
      kind: 'passed';
      /** Asks the server about the store's own database. Throws a retryable `store_unavailable`. */
      pass(query: PassedQuery): Promise<PassedAnswer>;
    };

/** A query as it came over HTTP. */
export interface PassedQuery {
  text: string;
  /** `epoch`, `chunked`, `chunk_size` and `pretty`, where they were given. */
  parameters: Readonly<Record<string, string>>;
  /** The media type asked for. */
  accept: string | undefined;
}

/** A server's answer, as it came. */
export interface PassedAnswer {
  status: number;
  contentType: string;
  body: ReadableStream<Uint8Array> | null;
}

/** What one statement is answered by. */
export interface QueryOptions {
  /** What `now()` is. */
  nowNs: bigint;
  /** The name of the one database. */
  database: string;
}

/** A value of an answer; times are in ns. */
export type QueryValue = number | bigint | boolean | string | null;

/** A series of an answer: rows of one measurement and set of tags. */
export interface QuerySeries {
  /** Undefined where the rows are of no measurement. */
  name: string | undefined;
  tags: ReadonlyMap<string, string> | undefined;
  columns: readonly string[];
  /** True when the first column is the time. */
  hasTime: boolean;
  /** IANA name of the zone that times are told in; undefined is UTC. */
  timeZone?: string | undefined;
  values: QueryRows;
}

/** Rows of an answer; some are made only as they are asked for, so that they are not in memory all at once. */
export interface QueryRows extends Iterable<readonly QueryValue[]> {
  readonly length: number;
}

/** Most rows that one InfluxQL statement is answered with. */
export const MAX_QUERY_ROWS = 500_000;

/** Most windows (rows, filled ones included) that one query may ask for; more is a `bad_request`. */
export const MAX_WINDOWS = 1_000_000;
