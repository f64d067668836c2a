import { expect, it } from 'vitest';
import { HeldRows } from './held-rows.ts';

it('lets rows wait to be sent up to a million, and one answer whatever its size', () => {
  const held = new HeldRows();
  const release = held.take(600_000);
  const releaseOther = held.take(400_000);
  expect(() => held.take(1)).toThrow('1000000 rows of other answers are waiting to be sent');
  release();
  release();
  expect(() => held.take(600_001)).toThrow();
  held.take(600_000)();
  releaseOther();
  held.take(2_000_000)();
});
