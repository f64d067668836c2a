import { expect, it } from 'vitest';
import { type RestartReason, Restarts, WINDOW_MS } from './restarts.ts';

/** What follows from ends at these times, in seconds. */
function afterEnds(reason: RestartReason, timesS: readonly number[]) {
  const restarts = new Restarts();
  return timesS.map((timeS) => restarts.ended(reason, timeS * 1000));
}

it('waits longer each time, a minute at most, however often Node-RED ends', () => {
  const times = Array.from({ length: 1000 }, (_, n) => n);
  const pauses = afterEnds('exit', times).map(({ pauseMs }) => pauseMs);
  expect(pauses.slice(0, 7)).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 60_000]);
  expect(Math.max(...pauses)).toBe(60_000);
});

it('starts without flows from the third end within ten minutes on', () => {
  const isSafe = (times: readonly number[]) => afterEnds('heartbeat', times).map((next) => next.isSafeMode);
  expect(isSafe([0, 10, 20, 30])).toEqual([false, false, true, true]);
  expect(isSafe([0, 10, WINDOW_MS / 1000])).toEqual([false, false, false]);
});

it('has nothing against flows when Node-RED cannot start', () => {
  const next = afterEnds('start', [0, 1, 2, 3]).at(-1);
  expect(next).toEqual({ pauseMs: 8000, isSafeMode: false });
});

it('forgets what is ten minutes ago', () => {
  expect(afterEnds('exit', [0, 1, 2, 3 + WINDOW_MS / 1000]).at(-1)).toEqual({
    pauseMs: 1000,
    isSafeMode: false,
  });
});
