import { fieldTypes, silentLogger, systemClock } from '@tidemark/core';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Compaction, defaultLimits } from './compaction.ts';
import { activeOf, emptyTable, Layout } from './layout.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'setInterval'] });
});

afterEach(() => {
  vi.useRealTimers();
});

/** A compaction whose steps change nothing; the first of them waits for `seal`. */
function compactionOf(seal: () => Promise<void>) {
  const layout = new Layout();
  for (const type of fieldTypes) {
    for (const kind of ['hot', 'late'] as const) layout.of(type)[kind].push(emptyTable(kind, 0));
  }
  const steps = {
    seal: vi.fn(seal),
    moveHot: async () => [],
    mergeLate: vi.fn(async () => []),
    rewrite: async () => undefined,
    sumUp: async () => undefined,
  };
  const onFailed = vi.fn();
  const parts = { steps, sums: { isDue: () => false }, limits: defaultLimits, onFailed };
  const compaction = new Compaction({ ...parts, layout, clock: systemClock, logger: silentLogger });
  return { compaction, layout, steps, onFailed };
}

test('what a compaction in the background failed with is told', async () => {
  const error = new Error('Could not fsync the log');
  const { compaction, layout, onFailed } = compactionOf(() => Promise.reject(error));
  activeOf(layout.of('float').hot).rows = defaultLimits.hotRows;
  compaction.poke();
  await vi.waitFor(() => expect(onFailed).toHaveBeenCalledExactlyOnceWith(error));
  await compaction.stop();
});

test('a single late row is merged after some minutes, a single hot one stays', async () => {
  const { compaction, layout, steps } = compactionOf(async () => undefined);
  compaction.start();
  activeOf(layout.of('integer').hot).rows = 1;
  await vi.advanceTimersByTimeAsync(700_000);
  expect(steps.seal).not.toHaveBeenCalled();
  activeOf(layout.of('float').late).rows = 1;
  await vi.advanceTimersByTimeAsync(700_000);
  await compaction.stop();
  expect(steps.mergeLate.mock.calls).toEqual([['float']]);
});

test('late rows wait for more of them where a merge reads through much', async () => {
  const { compaction, layout, steps } = compactionOf(async () => undefined);
  const { late, partitions } = layout.of('float');
  const range = { startDay: 0, widthDays: 1, sortedRows: 0, runs: 1, sums: undefined };
  partitions.push({ ...range, name: 'large', generation: 1, rows: 100_000_000 });
  activeOf(late).rows = 1_500_000;
  compaction.poke();
  expect(steps.seal).not.toHaveBeenCalled();
  activeOf(late).rows = 1_600_000;
  compaction.poke();
  await compaction.stop();
  expect(steps.seal).toHaveBeenCalled();
});

test('a write that has outrun compaction waits for it, but for seconds alone', async () => {
  const seal = Promise.withResolvers<void>();
  const { compaction, layout } = compactionOf(() => seal.promise);
  const late = activeOf(layout.of('float').late);
  late.rows = defaultLimits.lateRows;
  compaction.poke();
  await compaction.keepUp();
  late.rows *= 20;
  let isThrough = false;
  const waiting = compaction.keepUp().then(() => {
    isThrough = true;
  });
  await vi.advanceTimersByTimeAsync(3000);
  expect(isThrough).toBe(false);
  await vi.advanceTimersByTimeAsync(3000);
  await waiting;
  const next = compaction.keepUp();
  seal.resolve();
  await next;
  await compaction.stop();
});
