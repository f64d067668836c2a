import { silentLogger, systemClock } from '@tidemark/core';
import { expect, it, onTestFinished, vi } from 'vitest';
import { recordKinds } from '../spool/record.ts';
import type { Spool } from '../spool/spool.ts';
import {
  appendPoints,
  openQuarantine,
  pointOf,
  range,
  type SpoolParts,
  startSpool,
  tempDir,
} from '../testing/test-parts.ts';
import type { QuarantineStore } from './quarantine-store.ts';
import { QuarantineWriter } from './quarantine-writer.ts';
import { encodeRefusal } from './refusal.ts';

function refuse(spool: Spool, n: number): Promise<void> {
  const payload = Buffer.from([n, 0xff]);
  const timeNs = BigInt(n);
  const part = { source: 'mqtt', topic: `t${n}`, reason: 'empty' as const, detail: 'd', timeNs, payload };
  return new Promise((resolve) => {
    spool.append(recordKinds.refusal, timeNs, encodeRefusal(part), [], () => resolve());
  });
}

function startWriter({ spool }: SpoolParts, store: QuarantineStore): QuarantineWriter {
  const writer = new QuarantineWriter({ spool, store, clock: systemClock, logger: silentLogger });
  writer.start();
  onTestFinished(() => writer.stop());
  return writer;
}

it('takes refusals, and them alone, out of the log', async () => {
  const parts = await startSpool();
  const store = await openQuarantine();
  startWriter(parts, store);
  for (const n of range(0, 10)) {
    await appendPoints(parts.spool, [pointOf(n)]);
    await refuse(parts.spool, n);
  }
  await expect.poll(() => store.count()).toBe(10);
  const items = store.list({ limit: 100 }).reverse();
  expect(items.map(({ topic, payload }) => [topic, payload[0]])).toEqual(
    range(0, 10).map((n) => [`t${n}`, n]),
  );
  expect(parts.spool.cursor('quarantine')).toBeGreaterThan(0);
});

it('what was refused before it was asked is there, or it says that it is behind', async () => {
  const parts = await startSpool();
  const store = await openQuarantine();
  const writer = startWriter(parts, store);
  for (const n of range(0, 20)) {
    await Promise.all([refuse(parts.spool, n), appendPoints(parts.spool, [pointOf(n)])]);
    expect(await writer.flush(10_000)).toBe(0);
    expect(store.count()).toBe(n + 1);
  }
  vi.spyOn(store, 'add').mockImplementation(() => {
    throw new Error('no space left');
  });
  await refuse(parts.spool, 20);
  expect(await writer.flush(20)).toBeGreaterThanOrEqual(1);
  expect(store.count()).toBe(20);
});

it('reads the log only where there is a refusal', async () => {
  const parts = await startSpool();
  const store = await openQuarantine();
  startWriter(parts, store);
  const take = vi.spyOn(parts.spool, 'take');
  for (const n of range(0, 50)) await appendPoints(parts.spool, [pointOf(n)]);
  const { endOffset } = parts.spool;
  expect(parts.spool.positionOf('quarantine')).toBe(endOffset);
  await Promise.all([refuse(parts.spool, 1), appendPoints(parts.spool, [pointOf(1)])]);
  await expect.poll(() => store.count()).toBe(1);
  await expect.poll(() => parts.spool.positionOf('quarantine')).toBe(parts.spool.endOffset);
  expect(take.mock.calls.map(([offset]) => offset)).toEqual([endOffset]);
});

it('a replay after a crash adds nothing', async () => {
  const directory = await tempDir();
  const store = await openQuarantine();
  const first = await startSpool({ directory });
  vi.spyOn(first.spool, 'advance').mockResolvedValue();
  const writer = startWriter(first, store);
  await Promise.all(range(0, 10).map((n) => refuse(first.spool, n)));
  await expect.poll(() => store.count()).toBe(10);
  await writer.stop();
  await first.spool.stop();

  const second = await startSpool({ directory });
  expect(second.spool.cursor('quarantine')).toBe(0);
  startWriter(second, store);
  await refuse(second.spool, 10);
  await expect.poll(() => store.list({ limit: 1 })[0]?.topic).toBe('t10');
  expect(store.count()).toBe(11);
});

it.each(['add', 'advance'] as const)('when %s fails, health is red and it is tried again', async (what) => {
  const parts = await startSpool();
  const store = await openQuarantine();
  const writer = startWriter(parts, store);
  const full = vi.fn().mockImplementation(() => {
    throw new Error('no space left');
  });
  if (what === 'add') vi.spyOn(store, 'add').mockImplementation(full);
  else vi.spyOn(parts.spool, 'advance').mockImplementation(full);
  await refuse(parts.spool, 1);
  await expect
    .poll(() => writer.health())
    .toMatchObject({ status: 'fail', message: expect.stringMatching(/^no space left; since /) });
  vi.restoreAllMocks();
  await expect.poll(() => writer.health().status, { timeout: 20_000 }).toBe('pass');
  expect(store.count()).toBe(1);
  expect(parts.spool.cursor('quarantine')).toBe(parts.spool.endOffset);
});

it('saves its cursor although there was no refusal: segments wait for it', async () => {
  const parts = await startSpool();
  startWriter(parts, await openQuarantine());
  for (const n of range(0, 5)) await appendPoints(parts.spool, [pointOf(n)]);
  await expect.poll(() => parts.spool.cursor('quarantine'), { timeout: 20_000 }).toBe(parts.spool.endOffset);
});

it('stop ends although the quarantine cannot be written', async () => {
  const parts = await startSpool();
  const store = await openQuarantine();
  vi.spyOn(store, 'add').mockImplementation(() => {
    throw new Error('no space left');
  });
  const writer = startWriter(parts, store);
  await refuse(parts.spool, 1);
  await writer.stop();
  expect(parts.spool.cursor('quarantine')).toBe(0);
});
