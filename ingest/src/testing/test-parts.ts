import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Config,
  createMetrics,
  isOwnMeasurement,
  loadConfig,
  type Point,
  type PointColumns,
  type Registry,
  silentLogger,
  systemClock,
} from '@tidemark/core';
import {
  type Engine,
  type LatestValue,
  type MetaDb,
  openMetaDb,
  type RejectedPoint,
  SensorRegistry,
} from '@tidemark/store';

import { onTestFinished } from 'vitest';
import { Sparkplug } from '../decoders/sparkplug/sparkplug.ts';
import { Mappings } from '../mappings/mappings.ts';
import { IngestMetrics } from '../metrics.ts';
import { QuarantineStore } from '../quarantine/quarantine-store.ts';
import { encodePoints } from '../spool/entry.ts';
import { recordKinds } from '../spool/record.ts';
import { Spool, type SpoolOptions } from '../spool/spool.ts';
import { TravellerPoints } from '../travellers/traveller-points.ts';

/** A new temporary folder that is removed when the test ends. */
export async function tempDir(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'tidemark-ingest-'));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

export interface SpoolParts {
  spool: Spool;
  metrics: IngestMetrics;
  registry: Registry;
}

/** A started spool on the disk, stopped when the test ends. */
export async function startSpool(
  options: Partial<
    Pick<SpoolOptions, 'directory' | 'segmentBytes' | 'maxBytes' | 'leastOffset' | 'onRecovered' | 'clock'>
  > = {},
): Promise<SpoolParts> {
  const directory = options.directory ?? (await tempDir());
  const registry = createMetrics();
  const spool = new Spool({
    segmentBytes: 64 * 1024,
    maxBytes: 1e9,
    clock: systemClock,
    ...options,
    directory,
    logger: silentLogger,
    metrics: registry,
  });
  await spool.start();
  onTestFinished(() => spool.stop());
  const metrics = new IngestMetrics(registry, { count: () => 0, evicted: { items: 0, bytes: 0, age: 0 } });
  return { spool, metrics, registry };
}

/** What reads no topics but the platform's own. */
export function noMappings(): Mappings {
  return new Mappings({
    mappings: [],
    limits: loadConfig().ingest,
    expressions: loadConfig().mapping,
    metrics: createMetrics(),
    logger: silentLogger,
  });
}

export async function openMeta(directory?: string): Promise<MetaDb> {
  const db = openMetaDb(join(directory ?? (await tempDir()), 'meta.db'));
  onTestFinished(() => {
    if (db.isOpen) db.close();
  });
  return db;
}

/** A registry of its own, stopped when the test ends. */
export async function startRegistry(
  limits: Partial<Config['registry']> = {},
  db?: MetaDb,
): Promise<SensorRegistry> {
  const registry = new SensorRegistry({
    db: db ?? (await openMeta()),
    limits: { ...loadConfig().registry, ...limits },
    clock: systemClock,
    logger: silentLogger,
    metrics: createMetrics(),
  });
  await registry.start();
  onTestFinished(() => registry.stop());
  return registry;
}

/** The quarantine in a database of its own, or in the one given, with bounds that are out of the way. */
export async function openQuarantine(
  options: Partial<ConstructorParameters<typeof QuarantineStore>[0]> = {},
): Promise<QuarantineStore> {
  const db = options.db ?? (await openMeta());
  return new QuarantineStore({
    clock: systemClock,
    maxItems: 1000,
    maxBytes: 1e9,
    maxAgeMs: 0,
    ...options,
    db,
  });
}

/** A decoder that asks no node for anything. */
export function silentSparkplug(directory: SensorRegistry): Sparkplug {
  return new Sparkplug({
    config: loadConfig(),
    directory,
    topics: { command: () => {} },
    clock: systemClock,
    metrics: createMetrics(),
  });
}

/** What derives speeds from positions, with the settings as they are by default. */
export function travellersOf(engine: Engine): TravellerPoints {
  const { travellers } = loadConfig();
  return new TravellerPoints({ ...travellers, engine, clock: systemClock, metrics: createMetrics() });
}

export function pointOf(n: number, sensor = 'a'): Point {
  return {
    measurement: 'readings',
    tags: [['sensor', sensor]],
    fields: [['n', n]],
    timeNs: 1_000_000_000n + BigInt(n),
  };
}

/** Appends one entry; resolves when it is durable. */
export function appendPoints(
  spool: Spool,
  points: readonly Point[],
  acceptedNs = points[0]!.timeNs,
): Promise<void> {
  const keyOf = ({ measurement, tags }: Point): string => `${measurement},sensor=${tags[0]![1]}`;
  return new Promise((resolve, reject) => {
    const stamps = { areNew: true, delivery: undefined };
    const payload = encodePoints(points, keyOf);
    spool.append(
      recordKinds.points,
      acceptedNs,
      payload,
      points,
      (error) => (error ? reject(error) : resolve()),
      stamps,
    );
  });
}

/** The sum over all labels of a metric. */
export async function metricOf(registry: Registry, name: string): Promise<number> {
  const found = await registry.getSingleMetric(name)?.get();
  if (!found) throw new Error(`no metric ${name}`);
  return found.values.reduce((sum, { value }) => sum + value, 0);
}

/** A store that keeps what senders gave in memory, and does what a test tells it to first. */
export class FakeEngine implements Pick<Engine, 'write' | 'sync' | 'position' | 'latest'> {
  readonly batches: (readonly Point[])[] = [];
  /** Points, by their field's value, that it refuses for good. */
  readonly refused = new Set<number>();
  /** What the next calls of `write` wait for or fail by, one each. */
  readonly nextWrites: (() => Promise<void> | void)[] = [];
  isDown = false;
  syncs = 0;
  heldPosition: number | undefined;
  onSync: () => Promise<void> | void = () => {};

  /** Values of all points it took, in order. */
  get values(): number[] {
    return this.batches.flat().map(fieldOf);
  }

  goDown(): void {
    this.isDown = true;
  }

  async write(given: PointColumns): Promise<RejectedPoint[]> {
    const points = given.toArray();
    await this.nextWrites.shift()?.();
    if (this.isDown) throw new Error('the store is down');
    const isRefused = (point: Point): boolean => this.refused.has(fieldOf(point));
    this.batches.push(points.filter((point) => isForeign(point) && !isRefused(point)));
    return points.flatMap((point, index) =>
      isRefused(point) ? [{ index, reason: 'type_conflict' as const, detail: 'n is a string' }] : [],
    );
  }

  async latest(): Promise<LatestValue[]> {
    return [];
  }

  async sync(): Promise<void> {
    this.syncs++;
    await this.onSync();
  }

  async position(): Promise<number | undefined> {
    return this.heldPosition;
  }

  asEngine(): Engine {
    return this as unknown as Engine;
  }
}

function isForeign({ measurement }: Point): boolean {
  return !isOwnMeasurement(measurement);
}

function fieldOf({ fields }: Point): number {
  return Number(fields[0]![1]);
}

export const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from }, (_, index) => from + index);
