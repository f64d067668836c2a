import { type Clock, type Point, silentLogger } from '@tidemark/core';
import { expect, it } from 'vitest';
import { LogFollower } from './log-follower.ts';
import { appendPoints, startSpool } from './testing/test-parts.ts';

const texts = { begun: '', lasting: '', ended: '', working: '' };
const READINGS = 500;

it('gives way while it takes much, and what is saved in between is what was taken', async () => {
  const { spool } = await startSpool();
  const points = Array.from(
    { length: READINGS },
    (_, n): Point => ({
      measurement: 'readings',
      tags: [['sensor', 's1']],
      fields: [['value', n]],
      timeNs: BigInt(n),
    }),
  );
  await Promise.all(points.map((point) => appendPoints(spool, [point])));

  // Each look at the clock is a millisecond later: every few of them it is time to give way.
  let ms = 0;
  const clock: Clock = { nowNs: () => 0n, monotonicMs: () => ms++ };
  let taken: number[] = [];
  const saved: { offset: number; taken: number }[] = [];
  const follow = (offset: number) =>
    new LogFollower({
      spool,
      clock,
      logger: silentLogger,
      cursor: 'alerts',
      gatherMs: 1,
      texts,
      offset,
      recalledBytes: 0,
      recall: () => {},
      take: (entries) => {
        for (const { points } of entries) taken.push(...points.map(({ fields }) => Number(fields[0]![1])));
      },
      unsavedRows: () => 0,
      save: (at) => void saved.push({ offset: at, taken: taken.length }),
    });
  const follower = follow(0);
  // Once in each turn of the event loop.
  let looking: NodeJS.Immediate | undefined;
  const look = (): void => {
    follower.save();
    looking = setImmediate(look);
  };
  look();
  follower.start();
  await follower.catchUp(60_000);
  clearImmediate(looking);
  await follower.stop();
  expect(taken).toEqual(points.map((_, n) => n));
  const between = saved.filter((one) => one.taken > 0 && one.taken < READINGS);
  expect(between.length).toBeGreaterThan(0);

  // Whoever begins where it was saved takes what was not yet taken, and nothing twice.
  for (const { offset, taken: before } of between) {
    taken = [];
    const again = follow(offset);
    again.start();
    await again.catchUp(60_000);
    await again.stop();
    expect(taken).toEqual(points.map((_, n) => n).slice(before));
  }
});
