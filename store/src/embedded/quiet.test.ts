import { fieldTypes, silentLogger } from '@tidemark/core';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Compaction, defaultLimits } from './compaction.ts';
import { activeOf, emptyTable, Layout } from './layout.ts';

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

test('rows that wait are compacted once hardly any come, and after ten minutes anyway', async () => {
  const layout = new Layout();
  for (const type of fieldTypes) {
    for (const kind of ['hot', 'late'] as const) layout.of(type)[kind].push(emptyTable(kind, 0));
  }
  const hot = activeOf(layout.of('float').hot);
  let seals = 0;
  const steps = {
    seal: async () => {
      seals += 1;
      hot.rows = 0;
    },
    moveHot: async () => [],
    mergeLate: async () => [],
    rewrite: async () => undefined,
    sumUp: async () => undefined,
  };
  const clock = { monotonicMs: () => Date.now(), nowNs: () => BigInt(Date.now()) * 1_000_000n };
  const parts = { steps, sums: { isDue: () => false }, limits: defaultLimits, onFailed: () => undefined };
  const compaction = new Compaction({ ...parts, layout, clock, logger: silentLogger });
  compaction.start();
  const load = async (seconds: number): Promise<void> => {
    for (let second = 0; second < seconds; second++) {
      hot.rows += 1000;
      await vi.advanceTimersByTimeAsync(1000);
    }
  };
  await vi.advanceTimersByTimeAsync(20_000);
  await load(120);
  expect(seals).toBe(0);
  await vi.advanceTimersByTimeAsync(20_000);
  expect(seals).toBe(1);
  await load(700);
  expect(seals).toBe(2);
  hot.rows = 1000;
  await vi.advanceTimersByTimeAsync(1_200_000);
  expect(seals).toBe(2);
  await compaction.stop();
});
