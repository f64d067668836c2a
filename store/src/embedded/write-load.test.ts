import { expect, it } from 'vitest';
import { WriteLoad } from './write-load.ts';

function start() {
  let nowMs = 5000;
  const load = new WriteLoad({ nowNs: () => 0n, monotonicMs: () => nowMs });
  return {
    load,
    batch: (afterMs: number, points: number) => {
      nowMs += afterMs;
      load.note(points);
    },
    wait: (ms: number) => {
      nowMs += ms;
    },
  };
}

it('is heavy while batches of many points come, and for a while', () => {
  const { load, batch, wait } = start();
  expect(load.isHeavy).toBe(false);
  batch(1000, 5000);
  expect(load.isHeavy).toBe(true);
  for (let second = 0; second < 5; second++) batch(1000, 5000);
  wait(9999);
  expect(load.isHeavy).toBe(true);
  wait(1);
  expect(load.isHeavy).toBe(false);
});

it('is not heavy for a large batch now and then, or small ones close together', () => {
  const { load, batch } = start();
  batch(60_000, 10_000);
  expect(load.isHeavy).toBe(false);
  for (let step = 0; step < 200; step++) {
    batch(10, 1);
    expect(load.isHeavy).toBe(false);
  }
});
