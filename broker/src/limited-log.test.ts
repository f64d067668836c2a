import { createLogger } from '@tidemark/core';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { LimitedLog } from './limited-log.ts';

let lines: unknown[];
let log: LimitedLog;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  lines = [];
  const write = (line: string): void => {
    const { err, times, msg } = JSON.parse(line) as { err: Error; times: number; msg: string };
    lines.push([err.message, times, msg]);
  };
  log = new LimitedLog(createLogger('error', { write }), 'it failed');
});

afterEach(() => vi.useRealTimers());

const tell = (count: number): void => {
  for (let n = 1; n <= count; n++) log.tell(new Error(`no ${n}`));
};

it('one line tells of all that happened, 10 s apart', () => {
  tell(3);
  vi.advanceTimersByTime(1);
  tell(2000);
  vi.advanceTimersByTime(9000);
  expect(lines).toEqual([['no 3', 3, 'it failed']]);
  vi.advanceTimersByTime(1000);
  expect(lines.slice(1)).toEqual([['no 2000', 2000, 'it failed']]);
  vi.advanceTimersByTime(30_000);
  tell(1);
  vi.advanceTimersByTime(1);
  expect(lines.slice(2)).toEqual([['no 1', 1, 'it failed']]);
});

it('nothing is left unsaid at the stop, nor behind it', async () => {
  tell(1);
  vi.advanceTimersByTime(1);
  tell(2);
  log.stop();
  expect(lines).toEqual([
    ['no 1', 1, 'it failed'],
    ['no 2', 2, 'it failed'],
  ]);
  tell(4);
  await Promise.resolve();
  expect(lines.slice(2)).toEqual([['no 4', 4, 'it failed']]);
});
