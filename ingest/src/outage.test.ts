import { createLogger, systemClock } from '@tidemark/core';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Outage } from './outage.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function openOutage() {
  const lines: Record<string, unknown>[] = [];
  const logger = createLogger('info', { write: (line) => void lines.push(JSON.parse(line)) });
  const texts = { begun: 'it is out', lasting: 'it is still out', ended: 'it is back' };
  let backlogBytes = 0;
  const outage = new Outage({
    texts,
    figures: () => ({ backlogBytes: ++backlogBytes }),
    clock: systemClock,
    logger,
  });
  return { outage, lines };
}

it('is told when it begins, each minute while it lasts with what is wrong now, and when it ends', () => {
  const { outage, lines } = openOutage();
  outage.ended();
  outage.failed(new Error('503'));
  for (let seconds = 0; seconds < 150; seconds++) {
    vi.advanceTimersByTime(1000);
    outage.failed(new Error('401'));
  }
  outage.ended();
  vi.advanceTimersByTime(600_000);
  expect(lines).toMatchObject([
    { level: 50, msg: 'it is out', err: { message: '503' }, backlogBytes: 1 },
    { level: 50, msg: 'it is still out', fault: '401', lastedMs: 60_000, backlogBytes: 2 },
    { level: 50, msg: 'it is still out', fault: '401', lastedMs: 120_000, backlogBytes: 3 },
    { level: 30, msg: 'it is back', lastedMs: 150_000, backlogBytes: 4 },
  ]);
  expect(lines).toHaveLength(4);
});

it('says what is wrong and since when, until it has ended', () => {
  vi.setSystemTime(Date.UTC(2026, 4, 1));
  const { outage } = openOutage();
  expect(outage.fault).toBeUndefined();
  outage.failed(new Error('503'));
  vi.advanceTimersByTime(5000);
  outage.failed(new Error('401'));
  expect(outage.fault).toBe('401; since 2026-05-01T00:00:00Z');
  outage.ended();
  expect(outage.fault).toBeUndefined();
});
