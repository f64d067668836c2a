import { setTimeout as delay } from 'node:timers/promises';
import {
  type Config,
  messageOf,
  type Point,
  PointColumns,
  type Reading,
  TidemarkError,
} from '@tidemark/core';
import type {
  Engine,
  Expiry,
  LatestValue,
  PassedAnswer,
  PassedQuery,
  PointsQuery,
  ReadingFilter,
  ReadingKey,
  ReadingsQuery,
  RejectedPoint,
  StorageReport,
  StoreSnapshot,
  StoreStatus,
  Windows,
  WindowsQuery,
} from '../engine.ts';
import type { TravellerWindows } from '../traveller-windows.ts';
import type { TravellerStay, TravellerStaysQuery, TravellerWindowsQuery } from '../travellers.ts';
import { Turns } from '../turns.ts';
import type { TypePolicy } from '../type-policy.ts';
import { Connection } from './connection.ts';
import { FieldTypes } from './field-types.ts';
import { queryLatest } from './latest.ts';
import { queryPoints } from './points.ts';
import { oldestTimes, purge } from './purge.ts';
import { queryReadings, queryReadingsAt } from './readings.ts';
import { type FieldInfo, loadFields } from './schema.ts';
import { countSensor, deleteSensor, renameSensor } from './sensor-changes.ts';
import { queryTravellerStays, queryTravellerWindows } from './travellers.ts';
import { queryWindows } from './windows.ts';
import { writePoints } from './writer.ts';

/** How long running calls may take at the end: the process has 5 s in all. */
const STOP_WITHIN_MS = 1000;

interface InfluxOptions {
  influx: Config['influx'];
  /** `quarantine` when not given. */
  typePolicy?: TypePolicy;
}

/** The store in a bucket of an InfluxDB 2 server. Starts without it, and works as soon as it answers. */
export class InfluxEngine implements Engine {
  readonly influxql = {
    kind: 'passed',
    pass: (query: PassedQuery): Promise<PassedAnswer> => this.#run(() => this.#connection.pass(query)),
  } as const;
  readonly #connection: Connection;
  readonly #changes = new Turns();
  readonly #running = new Set<Promise<unknown>>();
  readonly #typePolicy: TypePolicy;
  #types: FieldTypes | undefined;

  constructor({ influx, typePolicy = 'quarantine' }: InfluxOptions) {
    this.#connection = new Connection(influx);
    this.#typePolicy = typePolicy;
  }

  async start(): Promise<void> {}

  async stop(): Promise<void> {
    const isDone = Promise.allSettled([...this.#running]);
    await Promise.race([isDone, delay(STOP_WITHIN_MS, undefined, { ref: false })]);
    this.#connection.close();
    await isDone;
  }

  write(given: readonly Point[] | PointColumns): Promise<readonly RejectedPoint[]> {
    return this.#change(async () => {
      if (given.length === 0) return [];
      const points = given instanceof PointColumns ? given : PointColumns.of(given);
      const types = await this.#loadTypes();
      return writePoints(points, { connection: this.#connection, types, typePolicy: this.#typePolicy });
    });
  }

  countSensor(sensor: string): Promise<number> {
    return this.#run(() => countSensor(this.#connection, sensor));
  }

  deleteSensor(sensor: string): Promise<{ points: number }> {
    return this.#change(() => deleteSensor(this.#connection, sensor));
  }

  renameSensor(from: string, to: string): Promise<void> {
    return this.#change(() => renameSensor(this.#connection, from, to));
  }

  /** InfluxDB answers a write after the fsync of its log, unless `storage-wal-fsync-delay` is set. */
  async sync(): Promise<void> {}

  /** What the server loses is not known here. */
  async position(): Promise<undefined> {}

  readings(query: ReadingsQuery): Promise<Reading[]> {
    return this.#run(() => queryReadings(this.#connection, query));
  }

  readingsAt(keys: readonly ReadingKey[]): Promise<(Reading | undefined)[]> {
    return this.#run(() => queryReadingsAt(this.#connection, keys));
  }

  latest(filter: ReadingFilter): Promise<LatestValue[]> {
    return this.#run(() => queryLatest(this.#connection, filter));
  }

  windows(query: WindowsQuery): Promise<Windows> {
    return this.#run(() => queryWindows(this.#connection, query));
  }

  travellerWindows(query: TravellerWindowsQuery): Promise<TravellerWindows> {
    return this.#run(() => queryTravellerWindows(this.#connection, query));
  }

  travellerStays(query: TravellerStaysQuery): Promise<TravellerStay[]> {
    return this.#run(() => queryTravellerStays(this.#connection, query));
  }

  /** Not waited for at the end: its request is cut off. */
  points(query: PointsQuery): AsyncIterable<readonly Point[]> {
    return queryPoints(this.#connection, query);
  }

  fields(): Promise<FieldInfo[]> {
    return this.#run(() => loadFields(this.#connection));
  }

  async status(): Promise<StoreStatus> {
    try {
      await this.#run(() => this.#connection.query(['SHOW MEASUREMENTS LIMIT 1'], 1));
      return { isHealthy: true, message: 'InfluxDB answers' };
    } catch (error) {
      return { isHealthy: false, message: messageOf(error) };
    }
  }

  async storage(): Promise<StorageReport> {
    return { usedBytes: undefined, oldestNs: await this.#run(() => oldestTimes(this.#connection)) };
  }

  purge(expiries: readonly Expiry[]): Promise<{ points: number }> {
    return this.#run(() => purge(this.#connection, expiries));
  }

  /** The server does not tell how much disk a bucket takes. */
  async timeOfOldest(): Promise<undefined> {}

  async snapshot(): Promise<StoreSnapshot> {
    const message = 'the points are in InfluxDB; back them up with its own `influx backup`';
    throw new TidemarkError('conflict', message);
  }

  async #loadTypes(): Promise<FieldTypes> {
    if (this.#types !== undefined) return this.#types;
    const types = new FieldTypes();
    types.replace(await loadFields(this.#connection));
    this.#types = types;
    return types;
  }

  #change<T>(call: () => Promise<T>): Promise<T> {
    return this.#run(() => this.#changes.run(call));
  }

  /** Keeps hold of a call, so that `stop` can wait for it. */
  async #run<T>(call: () => Promise<T>): Promise<T> {
    const running = call();
    this.#running.add(running);
    try {
      return await running;
    } finally {
      this.#running.delete(running);
    }
  }
}
