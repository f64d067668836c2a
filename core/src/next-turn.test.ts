import { setImmediate } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { nextTurn } from './next-turn.ts';

it('gives each who waits a turn of the event loop alone, in order', async () => {
  let turn = 0;
  let isOver = false;
  const count = async () => {
    for (; !isOver; turn++) await setImmediate();
  };
  const counting = count();
  const turns = await Promise.all(
    ['a', 'b', 'c'].map(async (name) => {
      await nextTurn();
      return [name, turn] as const;
    }),
  );
  isOver = true;
  await counting;
  const first = turns[0]![1];
  expect(turns).toEqual([
    ['a', first],
    ['b', first + 1],
    ['c', first + 2],
  ]);
});
