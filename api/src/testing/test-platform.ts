import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Acceptor,
  createMetrics,
  type Delivery,
  loadConfig,
  type Outcome,
  parseTime,
  type Quarantine,
  type QuarantineDesk,
  type QuarantineFilter,
  type QuarantineItem,
  type QuarantineReason,
  type QuarantineSummary,
  type Reading,
  type Refusal,
  type ReplayOutcome,
  readingId,
  readingToPoint,
  silentLogger,
  stringifyJson,
  systemClock,
  type TidemarkError,
} from '@tidemark/core';
import { AuditLog, type Engine, openEngine, openMetaDb, Retention, SensorRegistry } from '@tidemark/store';
import { createApp } from '../app.ts';
import { LiveClients } from '../live/live-clients.ts';
import type { ApiParts } from '../parts.ts';
import { MemoryAlerts, MemoryRules } from './memory-alerts.ts';
import { MemoryHeartbeats } from './memory-heartbeats.ts';
import { MemoryJournal } from './memory-journal.ts';

/**
 * The API over the embedded store in a folder of its own, and what belongs to other packages played in
 * memory: it can be looked at, and faults can be put in. Call `stop` in the end.
 */
export async function startTestPlatform(
  overrides: Partial<ApiParts> = {},
  settings: Record<string, unknown> = {},
) {
  const dataDir = await mkdtemp(join(tmpdir(), 'tidemark-api-'));
  const config = loadConfig({ overrides: { dataDir, 'http.port': 0, 'grpc.port': 0, ...settings } });
  const metrics = createMetrics();
  const shared = { config, clock: systemClock, logger: silentLogger, metrics };
  const engine = await openEngine(shared);
  await engine.start();
  const journal = new MemoryJournal();
  const quarantine = new MemoryQuarantine();
  const desk = new MemoryDesk();
  const acceptor = new MemoryAcceptor({ engine, journal, quarantine });
  const db = openMetaDb(join(dataDir, 'meta.db'));
  const registry = new SensorRegistry({ ...shared, db, limits: config.registry });
  await registry.start();
  const parts: ApiParts = {
    ...shared,
    registry,
    history: {
      count: (sensor) => engine.countSensor(sensor),
      remove: async (sensor) => (await engine.deleteSensor(sensor)).points,
      rename: async (from, to, cause) => {
        registry.beginRename({ from, to, cause });
        await engine.renameSensor(from, to);
        registry.finishRename({ from, to, cause });
      },
      renameOf: () => undefined,
    },
    engine,
    backup: { begin: () => Promise.reject(new Error('played by no test')) },
    storage: new Retention({ ...shared, engine }),
    brokerTrace: { traceMessage: () => [] },
    derivation: {
      metrics: [],
      derive: async () => ({ readings: 0, values: 0, nextNs: undefined }),
    },
    ingestTrace: { trace: () => Promise.reject(new Error('played by no test')) },
    acceptor,
    journal,
    live: new LiveClients({ metrics, journal: overrides.journal ?? journal }),
    quarantine,
    desk,
    audit: new AuditLog({ db, clock: systemClock, maxEntries: 1000 }),
    quality: { counts: async () => [] },
    rules: new MemoryRules(),
    alerts: new MemoryAlerts(),
    notifications: {
      channels: () => new Map(),
      test: async () => undefined,
      list: () => [],
      get: () => undefined,
      counts: () => [],
      replay: () => 0,
      discard: () => 0,
    },
    heartbeats: new MemoryHeartbeats(),
    freshness: { flush: async () => 0 },
    quarantineFreshness: { flush: async () => 0 },
    access: {
      isRequired: false,
      checkUser: async () => true,
      knowsUser: () => true,
      checkToken: () => true,
      tokenName: () => undefined,
    },
    health: async () => [{ name: 'store', status: 'pass', message: 'embedded store' }],
    localHealth: () => [{ name: 'store', status: 'pass', message: 'writing' }],
    isReady: () => true,
    build: { version: '0.0.0-test' },
    mqttPort: () => 1883,
    flowsPort: () => undefined,
    ...overrides,
  };
  const stop = async () => {
    await registry.stop();
    db.close();
    await engine.stop();
    await rm(dataDir, { recursive: true });
  };
  return { app: createApp(parts), parts, engine, registry, journal, quarantine, desk, acceptor, stop };
}

class MemoryQuarantine implements Quarantine {
  readonly items: QuarantineItem[] = [];

  add(reason: QuarantineReason, detail: string, payload: Uint8Array): void {
    this.items.push({
      id: String(this.items.length + 1),
      timeNs: systemClock.nowNs(),
      source: 'http',
      topic: '/api/v1/readings',
      reason,
      detail,
      payload,
      sensor: undefined,
    });
  }

  list({ limit, before, ...filter }: Parameters<Quarantine['list']>[0]): QuarantineItem[] {
    return this.matching(filter)
      .filter((item) => before === undefined || Number(item.id) < Number(before.id))
      .reverse()
      .slice(0, limit);
  }

  matching({ reason, topic, fromNs = 0n }: QuarantineFilter): QuarantineItem[] {
    return this.items
      .filter((item) => reason === undefined || item.reason === reason)
      .filter((item) => topic === undefined || item.topic === topic)
      .filter((item) => item.timeNs >= fromNs);
  }

  summary(filter: QuarantineFilter): QuarantineSummary {
    const { length: count } = this.matching(filter);
    const evicted = { items: 0, bytes: 0, age: 0 };
    return { count, byReason: [], bySource: [{ source: 'http', count }], bySensor: [], evicted };
  }

  get(id: string): QuarantineItem | undefined {
    return this.items.find((item) => item.id === id);
  }

  count(): number {
    return this.items.length;
  }

  watch(): () => void {
    return () => {};
  }
}

/** Remembers what it was asked, and answers with what a test tells it to. */
class MemoryDesk implements QuarantineDesk {
  readonly calls: unknown[][] = [];
  outcome: ReplayOutcome | TidemarkError | undefined;

  async replay(...asked: Parameters<QuarantineDesk['replay']>): Promise<ReplayOutcome | undefined> {
    return this.#answer('replay', asked);
  }

  async replayAll(...asked: Parameters<QuarantineDesk['replayAll']>): Promise<ReplayOutcome> {
    return this.#answer('replayAll', asked)!;
  }

  discard(...asked: Parameters<QuarantineDesk['discard']>): boolean {
    this.calls.push(['discard', ...asked]);
    return asked[0] === '1';
  }

  async discardAll(...asked: Parameters<QuarantineDesk['discardAll']>): Promise<number> {
    this.calls.push(['discardAll', ...asked]);
    return 3;
  }

  #answer(what: string, asked: unknown[]): ReplayOutcome | undefined {
    this.calls.push([what, ...asked]);
    if (this.outcome instanceof Error) throw this.outcome;
    return this.outcome;
  }
}

interface Sinks {
  engine: Engine;
  journal: MemoryJournal;
  quarantine: MemoryQuarantine;
}

/** Takes readings whose values are numbers, booleans or text, and refuses the rest. */
class MemoryAcceptor implements Acceptor {
  /** Answers the next submissions with these errors, then accepts again. */
  readonly errors: (TidemarkError | undefined)[] = [];
  readonly submissions: (readonly unknown[])[] = [];
  /** Of each submission. */
  readonly deliveries: (Delivery | undefined)[] = [];
  readonly #sinks: Sinks;
  #writing: Promise<unknown> = Promise.resolve();

  constructor(sinks: Sinks) {
    this.#sinks = sinks;
  }

  accept(...[submission, done]: Parameters<Acceptor['accept']>): Outcome {
    const error = this.errors.shift();
    if (!('items' in submission)) throw new Error('only HTTP and gRPC are played here');
    if (error !== undefined) {
      done(error);
      return { ids: [], accepted: 0, rejected: [] };
    }
    this.submissions.push(submission.items);
    this.deliveries.push(submission.delivery);
    const readings: Reading[] = [];
    const rejected: Refusal[] = [];
    for (const [index, item] of submission.items.entries()) {
      const reading = toReading(item);
      if (reading !== undefined) readings.push(reading);
      else rejected.push({ index, code: 'wrong_type', detail: 'is no reading' });
    }
    for (const { index, code, detail } of rejected) {
      const payload = Buffer.from(stringifyJson(submission.items[index]));
      this.#sinks.quarantine.add(code, detail, payload);
    }
    const points = readings.map(readingToPoint);
    if (points.length > 0) this.#sinks.journal.append(points);
    const ids = readings.map(({ sensor, timeNs }) => readingId(sensor, timeNs));
    this.#writing = this.#writing.then(() => this.#sinks.engine.write(points)).then(() => done());
    return { ids, accepted: ids.length, rejected };
  }
}

function toReading(item: unknown): Reading | undefined {
  if (typeof item !== 'object' || item === null) return undefined;
  const { sensor, location, time, ...rest } = item as Record<string, unknown>;
  const values = Object.entries(rest).filter(([, value]) => typeof value !== 'object');
  if (typeof sensor !== 'string' || values.length === 0) return undefined;
  const timeNs = time === undefined ? systemClock.nowNs() : parseTime(time);
  if (timeNs === undefined) return undefined;
  return { sensor, location: location as string | undefined, timeNs, values: values as Reading['values'] };
}
