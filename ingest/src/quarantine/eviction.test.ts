import { createLogger, systemClock } from '@tidemark/core';
import { afterEach, expect, it, vi } from 'vitest';
import { openQuarantine, range } from '../testing/test-parts.ts';
import { Eviction } from './eviction.ts';
import type { QuarantineStore } from './quarantine-store.ts';

afterEach(() => void vi.useRealTimers());

async function start(bounds: { maxItems?: number; maxAgeMs?: number }) {
  const store = await openQuarantine(bounds);
  vi.useFakeTimers();
  const lines: Record<string, unknown>[] = [];
  const logger = createLogger('info', { write: (line) => void lines.push(JSON.parse(line)) });
  const eviction = new Eviction({ store, clock: systemClock, logger });
  eviction.start();
  return { store, eviction, lines };
}

let offset = 0;

function refuse(store: QuarantineStore, count: number): void {
  const part = {
    source: 'mqtt',
    topic: 't',
    reason: 'empty' as const,
    detail: 'd',
    timeNs: systemClock.nowNs(),
    payload: Buffer.from('x'),
  };
  store.add(
    'log',
    range(0, count).map(() => ({ offset: offset++, part })),
  );
}

it('what had to go is told with how many and why, once a minute at most, and at the end', async () => {
  const { store, eviction, lines } = await start({ maxItems: 5 });
  refuse(store, 5);
  vi.advanceTimersByTime(60_000);
  expect(lines).toEqual([]);
  for (const _ of range(0, 120)) {
    refuse(store, 2);
    vi.advanceTimersByTime(1000);
  }
  refuse(store, 1);
  eviction.stop();
  vi.advanceTimersByTime(600_000);
  expect(lines).toMatchObject([
    { level: 40, msg: expect.stringContaining('past its bounds'), dropped: { items: 20 }, kept: 5 },
    { dropped: { items: 120 } },
    { dropped: { items: 101 } },
  ]);
});

it('items go for their age although nothing is added', async () => {
  const { store, eviction, lines } = await start({ maxAgeMs: 30_000 });
  refuse(store, 3);
  vi.advanceTimersByTime(60_000);
  expect(store.count()).toBe(0);
  expect(lines).toMatchObject([{ dropped: { age: 3 }, kept: 0 }]);
  eviction.stop();
  expect(lines).toHaveLength(1);
});

it('what cannot be dropped is told once', async () => {
  const { store, eviction, lines } = await start({});
  const evict = vi.spyOn(store, 'evict').mockImplementation(() => {
    throw new Error('no space left');
  });
  vi.advanceTimersByTime(50_000);
  evict.mockRestore();
  vi.advanceTimersByTime(20_000);
  eviction.stop();
  expect(lines).toMatchObject([{ level: 50, err: { message: 'no space left' } }, { level: 30 }]);
});
