import * as timers from 'node:timers/promises';
import { createLogger, type PointColumns, silentLogger, systemClock, TidemarkError } from '@tidemark/core';
import { afterEach, expect, it, onTestFinished, vi } from 'vitest';
import { BatchWriter } from './batch-writer.ts';
import { QuarantineStore } from './quarantine/quarantine-store.ts';
import {
  appendPoints,
  FakeEngine,
  metricOf,
  openQuarantine,
  pointOf,
  range,
  type SpoolParts,
  startSpool,
  tempDir,
  travellersOf,
} from './testing/test-parts.ts';

/** Pauses between tries, told and passed over while it is on. */
const skipped = vi.hoisted(() => ({ isOn: false, pausesMs: [] as number[] }));

vi.mock('node:timers/promises', async (importOriginal) => {
  const original = await importOriginal<typeof timers>();
  const setTimeout: typeof timers.setTimeout = async (ms, value, options) => {
    if (!skipped.isOn) return original.setTimeout(ms, value, options);
    skipped.pausesMs.push(ms ?? 0);
    return original.setTimeout(0, value, options);
  };
  return { ...original, setTimeout };
});

interface Parts extends SpoolParts {
  writer: BatchWriter;
  engine: FakeEngine;
  quarantine: QuarantineStore;
}

async function startWriter(
  options: {
    batchPoints?: number;
    batchAgeMs?: number;
    spool?: SpoolParts;
    engine?: FakeEngine;
    quarantine?: QuarantineStore;
    logger?: typeof silentLogger;
    onWritten?: (points: PointColumns) => void;
    beforeSave?: () => void;
  } = {},
): Promise<Parts> {
  const spoolParts = options.spool ?? (await startSpool());
  const engine = options.engine ?? new FakeEngine();
  const quarantine = options.quarantine ?? (await openQuarantine());
  const writer = new BatchWriter({
    spool: spoolParts.spool,
    metrics: spoolParts.metrics,
    engine: engine.asEngine(),
    travellers: travellersOf(engine.asEngine()),
    quarantine,
    clock: systemClock,
    logger: options.logger ?? silentLogger,
    batchPoints: options.batchPoints ?? 1000,
    batchBytes: 1e6,
    batchAgeMs: options.batchAgeMs ?? 1,
    renamedIds: new Map(),
    onWritten: options.onWritten ?? (() => {}),
    beforeSave: options.beforeSave ?? (() => {}),
  });
  await writer.takeBack();
  writer.start();
  onTestFinished(() => writer.stop());
  return { ...spoolParts, writer, engine, quarantine };
}

async function append(parts: SpoolParts, from: number, to: number): Promise<void> {
  await Promise.all(range(from, to).map((n) => appendPoints(parts.spool, [pointOf(n)])));
}

afterEach(() => {
  skipped.isOn = false;
  skipped.pausesMs = [];
  vi.restoreAllMocks();
});

it('writes in the order of the log, in batches of the size that is set', async () => {
  const parts = await startWriter({ batchPoints: 7 });
  await append(parts, 0, 50);
  await appendPoints(
    parts.spool,
    range(50, 70).map((n) => pointOf(n)),
  );
  expect(await parts.writer.flush(60_000)).toBe(0);
  expect(parts.engine.values).toEqual(range(0, 70));
  // An entry is never split; one that is larger than a batch goes alone.
  expect(Math.max(...parts.engine.batches.map(({ length }) => length))).toBe(20);
  expect(parts.engine.batches.filter(({ length }) => length > 7)).toHaveLength(1);
});

it('writes a backlog in full batches, however the log is cut into segments and reads', async () => {
  const directory = await tempDir();
  const before = await startSpool({ directory });
  for (let n = 0; n < 5500; n += 500) await append(before, n, n + 500);
  await before.spool.stop();
  const parts = await startSpool({ directory });
  const { engine, writer } = await startWriter({ spool: parts, batchPoints: 1500 });
  await writer.flush(60_000);
  expect(engine.values).toEqual(range(0, 5500));
  expect(engine.batches.map(({ length }) => length)).toEqual([1500, 1500, 1500, 1000]);
});

it('reads the next batch of a backlog while one is written, and no more than that', async () => {
  const parts = await startSpool();
  for (let n = 0; n < 25_000; n += 500) await append(parts, n, n + 500);
  const take = vi.spyOn(parts.spool, 'take');
  const { promise, resolve } = Promise.withResolvers<void>();
  const engine = new FakeEngine();
  engine.nextWrites.push(() => promise);
  const { writer } = await startWriter({ spool: parts, engine, batchPoints: 4000 });
  const pointsTaken = async () => {
    const taken = await Promise.all(take.mock.results.map(({ value }) => value));
    return taken.flatMap(({ entries }) => entries).length;
  };
  await expect.poll(() => engine.nextWrites).toHaveLength(0);
  await expect.poll(pointsTaken).toBeGreaterThanOrEqual(8000);
  const readAhead = await pointsTaken();
  resolve();
  await writer.flush(60_000);
  expect(readAhead).toBeLessThan(16_000);
  expect(engine.values).toEqual(range(0, 25_000));
  expect(new Set(engine.batches.slice(0, -1).map(({ length }) => length))).toEqual(new Set([4000]));
});

it('lets batches fill while points never stop coming', async () => {
  const batchAgeMs = 100;
  const parts = await startWriter({ batchAgeMs });
  // A store that takes a moment never lets the writer come to the end of the log.
  parts.engine.nextWrites.push(...range(0, 1000).map(() => () => timers.setTimeout(5)));
  const startedMs = performance.now();
  for (const n of range(0, 1000)) await append(parts, n, n + 1);
  const elapsedMs = performance.now() - startedMs;
  await parts.writer.flush(60_000);
  expect(parts.engine.values).toEqual(range(0, 1000));
  expect(parts.engine.batches.length).toBeLessThanOrEqual(elapsedMs / batchAgeMs + 5);
});

it('a batch that fails is tried again until the store takes it; nothing overtakes it', async () => {
  const parts = await startWriter();
  const fail = (): void => {
    throw new Error('the store is down');
  };
  parts.engine.nextWrites.push(fail, fail);
  await append(parts, 0, 5);
  await expect.poll(() => parts.writer.health().status).toBe('fail');
  await append(parts, 5, 10);
  expect(await parts.writer.flush(60_000)).toBe(0);
  expect(parts.engine.values).toEqual(range(0, 10));
  expect(parts.writer.health()).toMatchObject({ name: 'store', status: 'pass' });
  expect(await metricOf(parts.registry, 'tidemark_store_write_failures_total')).toBe(2);
});

it('an outage is told once when it begins and once when it ends, however often it is tried; failures count by reason', async () => {
  const lines: { msg: string; backlogBytes: number }[] = [];
  const logger = createLogger('info', { write: (line) => void lines.push(JSON.parse(line)) });
  const parts = await startWriter({ logger });
  const outages = ['unreachable', 'unreachable', 'unauthorized', undefined] as const;
  for (const outage of outages)
    parts.engine.nextWrites.push(() => {
      throw outage ? new TidemarkError('store_unavailable', 'away', { outage }) : new Error('a bug');
    });
  skipped.isOn = true;
  const before = parts.spool.cursor('store');
  await append(parts, 0, 5);
  await parts.writer.flush(60_000);
  expect(lines).toMatchObject([
    {
      msg: 'the store takes no batch; it stays in the spool and is tried again',
      backlogBytes: parts.spool.endOffset - before,
    },
    { msg: 'the store takes batches again' },
  ]);
  const failures = await parts.registry.getSingleMetric('tidemark_store_write_failures_total')!.get();
  const byReason = failures.values.map(({ labels, value }) => [labels.reason, value]);
  expect(Object.fromEntries(byReason)).toEqual({
    unreachable: 2,
    timeout: 0,
    unauthorized: 1,
    throttled: 0,
    failed: 0,
    other: 1,
  });
});

it.each([
  [undefined, [100, 200, 400, 800, 1600, 3200, 5000, 5000]],
  [3000, [3000, 3000]],
  [1e12, [600_000]],
])('pauses between tries, when the store asks for %s ms', async (retryAfterMs, expected) => {
  const options = retryAfterMs === undefined ? {} : { retryAfterMs };
  const parts = await startWriter();
  for (const _ of expected)
    parts.engine.nextWrites.push(() => {
      throw new TidemarkError('store_unavailable', 'busy', { retryable: true, ...options });
    });
  skipped.isOn = true;
  await append(parts, 0, 1);
  await parts.writer.flush(60_000);
  expect(skipped.pausesMs).toEqual(expected);
});

it('a store that does not answer holds up no flush, which then tells the lag', async () => {
  const parts = await startWriter();
  const { promise, resolve } = Promise.withResolvers<void>();
  parts.engine.nextWrites.push(() => promise);
  await append(parts, 0, 1);
  expect(await parts.writer.flush(20)).toBeGreaterThan(0);
  resolve();
  expect(await parts.writer.flush(60_000)).toBe(0);
});

it('a write that takes too long turns health red, until one is done in time', async () => {
  const parts = await startWriter();
  const writes = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  parts.engine.nextWrites.push(
    ...writes.map(
      ({ promise }) =>
        () =>
          promise,
    ),
  );
  vi.useFakeTimers({ toFake: ['setTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  await append(parts, 0, 1);
  await vi.waitFor(() => vi.getTimerCount() > 0 || Promise.reject(new Error('nothing is written')));
  expect(parts.writer.health().status).toBe('pass');
  vi.advanceTimersByTime(10_000);
  expect(parts.writer.health()).toMatchObject({ status: 'fail', message: /^a write takes more than 10 s/ });
  writes[0]!.resolve();
  vi.useRealTimers();
  await expect.poll(() => parts.engine.batches).toHaveLength(1);
  expect(parts.writer.health().status).toBe('fail');
  writes[1]!.resolve();
  await append(parts, 1, 2);
  await parts.writer.flush(60_000);
  expect(parts.writer.health().status).toBe('pass');
});

it('a flush does not wait for the batch to grow old', async () => {
  const parts = await startWriter({ batchAgeMs: 3_600_000 });
  await append(parts, 0, 3);
  expect(await parts.writer.flush(60_000)).toBe(0);
  expect(parts.engine.values).toEqual([0, 1, 2]);
});

it('points that the store refuses for good go to the quarantine, once, also when the batch comes again', async () => {
  const parts = await startWriter();
  parts.engine.refused.add(1).add(4);
  await appendPoints(
    parts.spool,
    range(0, 3).map((n) => pointOf(n)),
  );
  await append(parts, 3, 6);
  await parts.writer.flush(60_000);
  expect(parts.engine.values).toEqual([0, 2, 3, 5]);
  const items = parts.quarantine.list({ limit: 10 });
  expect(items.map(({ payload }) => Buffer.from(payload).toString())).toEqual([
    'readings,sensor=a n=4 1000000004',
    'readings,sensor=a n=1 1000000001',
  ]);
  expect(items[0]).toMatchObject({
    source: 'store',
    topic: 'readings',
    reason: 'type_conflict',
    sensor: 'a',
  });

  // As after a crash: the same log from its beginning, with a cursor that was never saved.
  const cursor = vi.spyOn(parts.spool, 'cursor').mockReturnValue(0);
  const again = await startWriter({ spool: parts, engine: parts.engine, quarantine: parts.quarantine });
  cursor.mockRestore();
  await again.writer.flush(60_000);
  expect(parts.engine.values).toHaveLength(8);
  expect(parts.quarantine.count()).toBe(2);
});

it("a point of the platform's own that the store refuses is counted, and never in the quarantine", async () => {
  const parts = await startWriter();
  parts.engine.refused.add(7);
  const own = { ...pointOf(7), measurement: 'quality' };
  await appendPoints(parts.spool, [pointOf(1), own, pointOf(2)]);
  await parts.writer.flush(60_000);
  expect(parts.engine.values).toEqual([1, 2]);
  expect(parts.quarantine.count()).toBe(0);
  expect(await metricOf(parts.registry, 'tidemark_store_own_points_refused_total')).toBe(1);
});

it('a quarantine that cannot be written turns health red, and the batch waits for it', async () => {
  const parts = await startWriter();
  const add = vi.spyOn(QuarantineStore.prototype, 'add').mockImplementation(() => {
    throw new Error('database or disk is full');
  });
  parts.engine.refused.add(0);
  await append(parts, 0, 2);
  await expect.poll(() => parts.writer.health()).toMatchObject({ status: 'fail', message: /disk is full/ });
  add.mockRestore();
  await parts.writer.flush(60_000);
  expect(parts.quarantine.count()).toBe(1);
  expect(parts.writer.health().status).toBe('pass');
});

it('the cursor passes only what the store has made durable', async () => {
  const parts = await startWriter();
  let cursorAtSync: number | undefined;
  parts.engine.onSync = () => {
    cursorAtSync ??= parts.spool.cursor('store');
    throw new Error('no fsync today');
  };
  await append(parts, 0, 3);
  await parts.writer.flush(60_000);
  await expect
    .poll(() => parts.writer.health())
    .toMatchObject({ status: 'fail', message: /^no fsync today; since/ });
  expect(parts.spool.cursor('store')).toBe(0);
  parts.engine.onSync = () => {};
  // Nothing more arrives, and it is saved all the same: a full log would wait for it.
  await expect.poll(() => parts.spool.cursor('store'), { timeout: 20_000 }).toBe(parts.spool.endOffset);
  expect(cursorAtSync).toBe(0);
  await expect.poll(() => parts.writer.health().status).toBe('pass');
});

it('tells what the store has, and the cursor waits until that is kept', async () => {
  const told: bigint[] = [];
  const kept: number[] = [];
  let isFailing = true;
  const parts = await startWriter({
    onWritten: (points) => told.push(...points.toArray().map(({ timeNs }) => timeNs)),
    beforeSave: () => {
      kept.push(told.length);
      if (isFailing) throw new Error('meta.db cannot be written');
    },
  });
  await append(parts, 0, 10);
  await parts.writer.flush(60_000);
  expect(told).toEqual(range(0, 10).map((n) => pointOf(n).timeNs));
  await expect.poll(() => kept.length, { timeout: 10_000 }).toBeGreaterThan(0);
  expect(parts.spool.cursor('store')).toBe(0);
  expect(parts.writer.health().status).toBe('fail');
  isFailing = false;
  await expect.poll(() => parts.spool.cursor('store'), { timeout: 10_000 }).toBe(parts.spool.endOffset);
  expect(kept.at(-1)).toBe(10);
});

it('a log that cannot be read turns health red and is read again', async () => {
  const parts = await startWriter();
  skipped.isOn = true;
  const take = vi.spyOn(parts.spool, 'take').mockRejectedValue(new Error('EIO'));
  await append(parts, 0, 2);
  await expect
    .poll(() => parts.writer.health())
    .toMatchObject({ status: 'fail', message: /^EIO; since .*; 144 bytes wait/ });
  take.mockRestore();
  await parts.writer.flush(60_000);
  expect(parts.engine.values).toEqual([0, 1]);
});

it('stop writes out what is in the log and saves the cursor', async () => {
  const parts = await startWriter({ batchAgeMs: 3_600_000 });
  await append(parts, 0, 10);
  await parts.writer.stop();
  expect(parts.engine.values).toEqual(range(0, 10));
  expect(parts.spool.cursor('store')).toBe(parts.spool.endOffset);
});

it.each([
  ['is down', (engine: FakeEngine) => engine.goDown()],
  ['does not answer', (engine: FakeEngine) => void engine.nextWrites.push(() => new Promise(() => {}))],
])('stop leaves in the log what a store that %s has not taken', async (_what, breakStore) => {
  const parts = await startWriter();
  breakStore(parts.engine);
  await append(parts, 0, 10);
  const stopped = await Promise.race([
    parts.writer.stop(),
    timers.setTimeout(30_000, 'still running', { ref: false }),
  ]);
  expect(stopped).toBeUndefined();
  expect(parts.spool.cursor('store')).toBe(0);
});

it('a write that ends after the stop moves no cursor: the store may be closed by then', async () => {
  const parts = await startWriter();
  const { promise, resolve } = Promise.withResolvers<void>();
  parts.engine.nextWrites.push(() => promise);
  await append(parts, 0, 10);
  await parts.writer.stop();
  resolve();
  await expect.poll(() => parts.engine.values).toEqual(range(0, 10));
  await timers.setImmediate();
  expect(parts.spool.cursor('store')).toBe(0);
});

it('what the store has lost though the cursor has passed it is written again, and what is gone is told', async () => {
  const directory = await tempDir();
  const spool = await startSpool({ directory });
  const before = await startWriter({ spool });
  await append(before, 0, 10);
  await before.writer.flush(60_000);
  const held = spool.spool.endOffset;
  await append(before, 10, 20);
  await before.writer.flush(60_000);
  await before.writer.stop();
  const end = spool.spool.cursor('store');
  expect(end).toBe(spool.spool.endOffset);
  await spool.spool.stop();

  const level = await startSpool({ directory });
  const same = new FakeEngine();
  same.heldPosition = end;
  const none = await startWriter({ spool: level, engine: same });
  await none.writer.flush(60_000);
  expect(same.values).toEqual([]);
  await none.writer.stop();
  await level.spool.stop();

  const again = await startSpool({ directory });
  const engine = new FakeEngine();
  engine.heldPosition = held;
  const { writer, registry } = await startWriter({ spool: again, engine });
  await writer.flush(60_000);
  expect(engine.values).toEqual(range(10, 20));
  expect(writer.health().status).toBe('pass');
  expect(await metricOf(registry, 'tidemark_store_lost_log_bytes_total')).toBe(end - held);
  await writer.stop();
  await again.spool.stop();
});

it('what the store has lost and the log no longer holds is counted, and health says so', async () => {
  const spool = await startSpool({ leastOffset: 1000 });
  const engine = new FakeEngine();
  engine.heldPosition = 400;
  const { writer, registry } = await startWriter({ spool, engine });
  expect(await metricOf(registry, 'tidemark_store_lost_log_bytes_total')).toBe(600);
  expect(writer.health()).toMatchObject({
    status: 'fail',
    message: expect.stringContaining('lost 600 bytes'),
  });
});
