import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type AlertTransition,
  type Clock,
  createMetrics,
  type LogReader,
  loadConfig,
  NS_PER_MS,
  type Point,
  PointColumns,
  silentLogger,
} from '@tidemark/core';
import { AuditLog, type MetaDb, openMetaDb, SensorRegistry } from '@tidemark/store';
import fc from 'fast-check';
import { expect, it, onTestFinished } from 'vitest';
import { AlertService } from './alert-service.ts';

const beginMs = Date.parse('2026-05-01T12:00:00Z');

/** A clock that a test sets. */
class TestClock implements Clock {
  ms = 0;
  nowNs = () => BigInt(beginMs + this.ms) * NS_PER_MS;
  monotonicMs = () => this.ms;
}

/** The log in memory: messages are taken when a test says so, and taken again from what was saved. */
class TestLog {
  readonly messages: { columns: PointColumns; firstPoint: number; pointEnd: number; acceptedMs: number }[] =
    [];
  readonly appended: Point[] = [];
  reader: LogReader | undefined;
  position = 0;

  follow(reader: LogReader) {
    this.reader = reader;
    this.position = reader.offset ?? 0;
    reader.recall(this.messages.slice(0, this.position));
    const save = (): void => {
      if (reader.unsavedRows() > 0) reader.save(this.position);
    };
    return {
      start: () => {},
      stop: async () => {},
      health: () => ({ name: 'alerts', status: 'pass' as const, message: 'evaluating' }),
      caughtUpAtMs: undefined,
      catchUp: async () => {},
      save,
    };
  }

  async append(points: readonly Point[]): Promise<void> {
    this.appended.push(...points);
  }

  add(sensor: string, value: number, timeMs: number, acceptedMs: number): void {
    const columns = PointColumns.of([
      {
        measurement: 'readings',
        tags: [['sensor', sensor]],
        fields: [['temperature', value]],
        timeNs: BigInt(timeMs) * NS_PER_MS,
      },
    ]);
    this.messages.push({ columns, firstPoint: 0, pointEnd: 1, acceptedMs });
  }

  /** Takes up to `count` messages, and saves when that is due at once. */
  take(count: number, savesAlways: boolean): void {
    const { reader } = this;
    const next = this.messages.slice(this.position, this.position + count);
    reader!.take(next, 0);
    this.position += next.length;
    if (savesAlways || reader!.unsavedRows() === Number.POSITIVE_INFINITY) reader!.save(this.position);
  }
}

async function openParts() {
  const dataDir = mkdtempSync(join(tmpdir(), 'tidemark-alerts-'));
  const db = openMetaDb(join(dataDir, 'meta.db'));
  const clock = new TestClock();
  const config = loadConfig({ overrides: { dataDir } });
  const shared = { config, clock, logger: silentLogger };
  const directory = new SensorRegistry({ ...shared, db, limits: config.registry, metrics: createMetrics() });
  for (const id of ['s1', 's2']) directory.register(id, undefined, ['temperature']);
  const audit = new AuditLog({ db, clock, maxEntries: 100 });
  onTestFinished(async () => {
    db.close();
    await rm(dataDir, { recursive: true });
  });
  return { ...shared, db, directory, audit };
}

async function startService(
  parts: Awaited<ReturnType<typeof openParts>>,
  log: TestLog,
): Promise<AlertService> {
  const service = new AlertService({
    ...parts,
    metrics: createMetrics(),
    log,
    engine: { readings: async () => [] },
    topics: { retain: async () => {} },
    lookEveryMs: 3_600_000,
  });
  await service.start();
  return service;
}

const cause = { actor: 'test' };
const shown = ({ sensor, state, value, timeNs }: AlertTransition): string =>
  `${sensor} ${state} ${value} ${Number(timeNs / NS_PER_MS) - beginMs}`;

function clear(db: MetaDb): void {
  for (const table of ['alert_progress', 'alert_series', 'alert_transitions', 'alert_readers', 'rules'])
    db.exec(`DELETE FROM ${table}`);
}

interface Steps {
  sensor: string;
  value: number;
  timeMs: number;
  taken: number;
  isSaved: boolean;
  isKilled: boolean;
}

it('whenever it is killed and started again, the same transitions come about, each once', async () => {
  const parts = await openParts();
  const reading = fc.record({
    sensor: fc.constantFrom('s1', 's2'),
    value: fc.integer({ min: 0, max: 10 }),
    timeMs: fc.integer({ min: 0, max: 60 }),
    taken: fc.integer({ min: 1, max: 3 }),
    isSaved: fc.boolean(),
    isKilled: fc.boolean(),
  });
  const rules = [
    { id: 'hot', metric: 'temperature', above: 6, clear: 4, for: '20ms' },
    { id: 'fast', metric: 'temperature', rate: { above: 3, per: '10ms' } },
    { id: 'same', metric: 'temperature', stuck: '30ms' },
  ];
  const play = async (readings: readonly Steps[], kills: boolean) => {
    clear(parts.db);
    const log = new TestLog();
    let service = await startService(parts, log);
    for (const rule of rules) service.put(rule, cause);
    for (const one of readings) {
      log.add(one.sensor, one.value, beginMs + one.timeMs, beginMs + 200);
      log.take(kills ? one.taken : 1, kills ? one.isSaved : true);
      if (!kills || !one.isKilled) continue;
      // What was not saved is gone with it.
      await service.stop();
      service = await startService(parts, log);
    }
    log.take(1000, true);
    const told = service.transitionsAfter(0, 10_000);
    await service.stop();
    return told.map((one) => `${one.rule} ${shown(one)}`).sort();
  };
  await fc.assert(
    fc.asyncProperty(fc.array(reading, { maxLength: 30 }), async (readings) => {
      expect(await play(readings, true)).toEqual(await play(readings, false));
    }),
    { numRuns: 150 },
  );
});
