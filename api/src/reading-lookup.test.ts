import type { Reading } from '@tidemark/core';
import type { ReadingKey } from '@tidemark/store';
import { expect, it } from 'vitest';
import { ReadingLookup } from './reading-lookup.ts';

/** Finds the readings of sensor `there`, when it is told to; `failure` is what it rejects with. */
function start(failure?: Error) {
  const asked: number[][] = [];
  const answers: (() => void)[] = [];
  const readingsAt = async (keys: readonly ReadingKey[]) => {
    asked.push(keys.map(({ timeNs }) => Number(timeNs)));
    await new Promise<void>((resolve) => answers.push(resolve));
    if (failure !== undefined) throw failure;
    return keys.map(({ sensor, timeNs }): Reading | undefined =>
      sensor === 'there' ? { sensor, location: undefined, timeNs, values: [] } : undefined,
    );
  };
  const lookup = new ReadingLookup({ engine: { readingsAt } });
  const answer = async () => {
    while (answers.length === 0) await new Promise(setImmediate);
    answers.shift()!();
  };
  return {
    asked,
    answer,
    find: (timeNs: number, sensor = 'there') => lookup.find({ sensor, timeNs: BigInt(timeNs) }),
  };
}

it('looks up together what waits, and never what was asked later than it began', async () => {
  const { asked, answer, find } = start();
  const first = [find(1), find(2, 'absent')];
  while (asked.length === 0) await new Promise(setImmediate);
  const second = [find(3), find(1)];
  expect(asked).toEqual([[1, 2]]);
  await answer();
  expect((await Promise.all(first)).map((reading) => reading?.timeNs)).toEqual([1n, undefined]);
  await answer();
  expect((await Promise.all(second)).map((reading) => reading?.timeNs)).toEqual([3n, 1n]);
  expect(asked).toEqual([
    [1, 2],
    [3, 1],
  ]);
});

it('asks for a thousand at a time', async () => {
  const { asked, answer, find } = start();
  const all = Promise.all(Array.from({ length: 2500 }, (_, n) => find(n)));
  for (let n = 0; n < 3; n++) await answer();
  expect((await all).map((reading) => Number(reading?.timeNs))).toEqual(
    Array.from({ length: 2500 }, (_, n) => n),
  );
  expect(asked.map(({ length }) => length)).toEqual([1000, 1000, 500]);
});

it('tells each of a failure, and goes on', async () => {
  const { answer, find } = start(new Error('the store is away'));
  const both = Promise.allSettled([find(1), find(2)]);
  await answer();
  expect((await both).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  const later = find(3);
  await answer();
  await expect(later).rejects.toThrow('the store is away');
});
