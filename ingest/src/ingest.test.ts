import * as timers from 'node:timers/promises';
import {
  createMetrics,
  loadConfig,
  type Outcome,
  type Point,
  silentLogger,
  systemClock,
} from '@tidemark/core';
import { AuditLog } from '@tidemark/store';
import { expect, it, onTestFinished } from 'vitest';
import { Ingest } from './ingest.ts';
import { FakeEngine, openMeta, range, startRegistry, tempDir } from './testing/test-parts.ts';

interface StartOptions {
  dataDir: string;
  engine: FakeEngine;
  settings?: Record<string, unknown>;
}

async function startIngest({ dataDir, engine, settings = {} }: StartOptions): Promise<Ingest> {
  const config = loadConfig({ overrides: { dataDir, 'ingest.batchAgeMs': 1, ...settings } });
  const meta = await openMeta(dataDir);
  const ingest = new Ingest({
    config,
    clock: systemClock,
    logger: silentLogger,
    metrics: createMetrics(),
    engine: engine.asEngine(),
    meta,
    registrar: await startRegistry({}, meta),
    audit: new AuditLog({ db: meta, clock: systemClock, maxEntries: 100 }),
    incidents: { tell: () => {} },
    topics: { command: () => {} },
  });
  await ingest.start();
  // Nobody evaluates rules here: the log is let go.
  const nothing = () => {};
  const reader = { offset: undefined, recalledBytes: 0, recall: nothing, take: nothing, save: nothing };
  const alerts = ingest.alertsLog.follow({ ...reader, isIdle: () => true, unsavedRows: () => 0 });
  alerts.start();
  onTestFinished(async () => {
    await alerts.stop();
    await ingest.stop();
  });
  return ingest;
}

function publish(ingest: Ingest, value: number, text = ''): Promise<Outcome> {
  const payload = Buffer.from(JSON.stringify({ n: value, ...(text === '' ? {} : { text }) }));
  return new Promise((resolve, reject) => {
    const outcome = ingest.acceptor.accept({ source: 'mqtt', topic: 'sensors/s', payload }, (error) =>
      error ? reject(error) : queueMicrotask(() => resolve(outcome)),
    );
  });
}

/** Resolves with what `work` gives, and fails when it takes far longer than it may. */
async function inTime<T>(work: Promise<T>): Promise<T> {
  const late = timers.setTimeout(30_000, 'late' as const, { ref: false });
  const result = await Promise.race([work, late]);
  if (result === 'late') throw new Error('it takes far too long');
  return result as T;
}

it('a restart takes up where the store stands: what it had is not written again, the rest is', async () => {
  const dataDir = await tempDir();
  const first = new FakeEngine();
  let ingest = await startIngest({ dataDir, engine: first });
  for (const n of range(0, 10)) await publish(ingest, n);
  await ingest.freshness.flush(60_000);
  await ingest.stop();
  const down = new FakeEngine();
  down.goDown();
  ingest = await startIngest({ dataDir, engine: down });
  for (const n of range(10, 20)) await publish(ingest, n);
  await inTime(ingest.stop());
  const last = new FakeEngine();
  ingest = await startIngest({ dataDir, engine: last });
  await publish(ingest, 20);
  await ingest.freshness.flush(60_000);
  expect(first.values).toEqual(range(0, 10));
  expect(last.values).toEqual(range(10, 21));
  const times = [first, last].flatMap(({ batches }) => batches.flat().map(({ timeNs }: Point) => timeNs));
  expect(times).toEqual([...new Set(times)].sort((a, b) => (a < b ? -1 : 1)));
});

it('refusals are in the quarantine, and are once after a restart', async () => {
  const dataDir = await tempDir();
  const engine = new FakeEngine();
  engine.refused.add(1);
  for (const _ of range(0, 2)) {
    const ingest = await startIngest({ dataDir, engine });
    await publish(ingest, 1);
    const payload = Buffer.from('nonsense');
    await new Promise<void>((resolve) => {
      ingest.acceptor.accept({ source: 'mqtt', topic: 'sensors/s', payload }, () => resolve());
    });
    await ingest.freshness.flush(60_000);
    await ingest.stop();
  }
  const ingest = await startIngest({ dataDir, engine });
  expect(
    ingest.quarantine
      .list({ limit: 10 })
      .map(({ reason }) => reason)
      .sort(),
  ).toEqual(['malformed_json', 'malformed_json', 'type_conflict', 'type_conflict']);
});

it('a spool of the least size takes many times that, while the store keeps up', async () => {
  const engine = new FakeEngine();
  const settings = { 'spool.maxBytes': 1024 * 1024, 'spool.segmentBytes': 64 * 1024 * 1024 };
  const ingest = await startIngest({ dataDir: await tempDir(), engine, settings });
  const text = 'x'.repeat(20_000);
  for (let n = 0; n < 200; n += 10)
    await Promise.all(range(n, n + 10).map((value) => publish(ingest, value, text)));
  await ingest.freshness.flush(60_000);
  expect(engine.values).toEqual(range(0, 200));
});

/** Publishes 0, 1, 2 … without waiting for answers until the spool takes no more; returns the answers' promises. */
async function publishUntilFull(
  ingest: Ingest,
  onAnswer: (n: number) => void = () => {},
): Promise<Promise<void>[]> {
  const answers: Promise<void>[] = [];
  while (healthOf(ingest, 'spool') === 'pass') {
    const n = answers.length;
    if (n > 5000) throw new Error('the spool takes more than it may');
    answers.push(publish(ingest, n, 'x'.repeat(10_000)).then(() => onAnswer(n)));
    await timers.setTimeout(1);
  }
  return answers;
}

function healthOf(ingest: Ingest, part: string): string | undefined {
  return ingest.health().find(({ name }) => name === part)?.status;
}

const smallSpool = { 'spool.maxBytes': 1024 * 1024, 'spool.segmentBytes': 64 * 1024 };

it('a full spool drains when the store comes back, also past points that it refuses', async () => {
  const engine = new FakeEngine();
  engine.goDown();
  for (let n = 0; n < 6000; n += 3) engine.refused.add(n);
  const ingest = await startIngest({ dataDir: await tempDir(), engine, settings: smallSpool });
  const answers = await publishUntilFull(ingest);
  engine.isDown = false;
  await inTime(Promise.all(answers));
  await ingest.freshness.flush(60_000);
  const all = range(0, answers.length);
  expect(new Set(engine.values)).toEqual(new Set(all.filter((n) => n % 3 !== 0)));
  expect(ingest.quarantine.count()).toBe(all.filter((n) => n % 3 === 0).length);
  expect(healthOf(ingest, 'spool')).toBe('pass');
});

it('stops while the spool is full and the store is down, and has kept what it acknowledged', async () => {
  const dataDir = await tempDir();
  const engine = new FakeEngine();
  engine.goDown();
  const ingest = await startIngest({ dataDir, engine, settings: smallSpool });
  const acknowledged: number[] = [];
  const answers = Promise.allSettled(await publishUntilFull(ingest, (n) => acknowledged.push(n)));
  await inTime(ingest.stop());
  const kept = [...acknowledged];
  // Nobody is left without an answer.
  const refused = (await inTime(answers)).filter(({ status }) => status === 'rejected');
  expect(kept.length + refused.length).toBe((await answers).length);
  expect(kept.length).toBeGreaterThan(0);
  const healed = new FakeEngine();
  const again = await startIngest({ dataDir, engine: healed });
  await again.freshness.flush(60_000);
  expect(healed.values.slice(0, kept.length)).toEqual(kept);
});
