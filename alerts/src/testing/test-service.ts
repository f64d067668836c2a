import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type AlertTopics,
  type Clock,
  createMetrics,
  type LogReader,
  loadConfig,
  NS_PER_MS,
  type Point,
  PointColumns,
  type Registry,
  silentLogger,
} from '@tidemark/core';
import { AuditLog, openMetaDb, SensorRegistry } from '@tidemark/store';
import { onTestFinished } from 'vitest';
import { AlertService } from '../alert-service.ts';

export const beginMs = Date.parse('2026-05-01T12:00:00Z');

/** A clock that a test sets. */
class TestClock implements Clock {
  ms = 0;
  nowNs = () => BigInt(beginMs + this.ms) * NS_PER_MS;
  monotonicMs = () => this.ms;
}

/** The log in memory: messages are taken when a test says so, and taken again from what was saved. */
export class TestLog {
  readonly messages: { columns: PointColumns; firstPoint: number; pointEnd: number; acceptedMs: number }[] =
    [];
  readonly appended: Point[] = [];
  reader: LogReader | undefined;
  position = 0;
  caughtUpAtMs: number | undefined;
  /** When what is taken was taken, on the monotonic clock. */
  seenAtMs = 0;

  follow(reader: LogReader) {
    this.reader = reader;
    const caughtUpAtMs = (): number | undefined => this.caughtUpAtMs;
    this.position = reader.offset ?? 0;
    reader.recall(this.messages.slice(0, this.position));
    const save = (): void => {
      if (reader.unsavedRows() > 0) reader.save(this.position);
    };
    return {
      start: () => {},
      stop: async () => {},
      health: () => ({ name: 'alerts', status: 'pass' as const, message: 'evaluating' }),
      // Asked anew each time: a test says up to when everything was taken.
      get caughtUpAtMs() {
        return caughtUpAtMs();
      },
      catchUp: async () => {},
      save,
    };
  }

  async append(points: readonly Point[]): Promise<void> {
    this.appended.push(...points);
  }

  add(sensor: string, value: number, timeMs: number, acceptedMs: number): void {
    const tags = [['sensor', sensor]] as const;
    const timeNs = BigInt(timeMs) * NS_PER_MS;
    this.addPoint({ measurement: 'readings', tags, fields: [['temperature', value]], timeNs }, acceptedMs);
  }

  addPoint(point: Point, acceptedMs: number): void {
    const columns = PointColumns.of([point]);
    this.messages.push({ columns, firstPoint: 0, pointEnd: 1, acceptedMs });
  }

  /** Takes up to `count` messages, and saves when that is due at once. */
  take(count: number, savesAlways: boolean): void {
    const { reader } = this;
    const next = this.messages.slice(this.position, this.position + count);
    reader!.take(next, this.seenAtMs);
    this.position += next.length;
    if (savesAlways || reader!.unsavedRows() === Number.POSITIVE_INFINITY) reader!.save(this.position);
  }
}

/** What a service is made of, in a folder of its own that goes with the test; registered are s1 and s2. */
export async function openParts(settings: Record<string, unknown> = {}) {
  const dataDir = mkdtempSync(join(tmpdir(), 'tidemark-alerts-'));
  const db = openMetaDb(join(dataDir, 'meta.db'));
  const clock = new TestClock();
  const config = loadConfig({ overrides: { dataDir, ...settings } });
  const shared = { config, clock, logger: silentLogger };
  const directory = new SensorRegistry({ ...shared, db, limits: config.registry, metrics: createMetrics() });
  for (const id of ['s1', 's2']) directory.register(id, undefined, ['temperature']);
  const audit = new AuditLog({ db, clock, maxEntries: 100 });
  onTestFinished(async () => {
    db.close();
    await rm(dataDir, { recursive: true });
  });
  const topics: AlertTopics = { retain: async () => {}, publish: async () => {} };
  return { ...shared, db, directory, audit, topics };
}

/** A service over these parts; with the default, nothing that only time changes is looked for. */
export async function startService(
  parts: Awaited<ReturnType<typeof openParts>> & { metrics?: Registry },
  log: TestLog,
  lookEveryMs = 3_600_000,
): Promise<AlertService> {
  const service = new AlertService({
    metrics: createMetrics(),
    ...parts,
    log,
    engine: { readings: async () => [] },
    lookEveryMs,
  });
  await service.start();
  return service;
}
