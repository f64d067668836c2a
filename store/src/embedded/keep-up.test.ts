import { fieldTypes, silentLogger, systemClock } from '@tidemark/core';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Compaction, defaultLimits } from './compaction.ts';
import { activeOf, emptyTable, Layout } from './layout.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout'] });
});

afterEach(() => {
  vi.useRealTimers();
});

test('a write that has outrun compaction waits for it, but for seconds alone', async () => {
  const layout = new Layout();
  for (const type of fieldTypes) {
    for (const kind of ['hot', 'late'] as const) layout.of(type)[kind].push(emptyTable(kind, 0));
  }
  const seal = Promise.withResolvers<void>();
  const steps = {
    seal: () => seal.promise,
    moveHot: async () => [],
    mergeLate: async () => [],
    rewrite: async () => undefined,
    sumUp: async () => undefined,
  };
  const parts = { steps, sums: { isDue: () => false }, limits: defaultLimits };
  const compaction = new Compaction({ ...parts, layout, clock: systemClock, logger: silentLogger });
  const late = activeOf(layout.of('float').late);
  late.rows = defaultLimits.lateRows;
  compaction.poke();
  await compaction.keepUp();
  late.rows *= 10;
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
