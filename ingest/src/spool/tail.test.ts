import { expect, it } from 'vitest';
import { pointOf } from '../testing/test-parts.ts';
import { EntryBlock } from './entry.ts';
import { recordKinds } from './record.ts';
import { Tail } from './tail.ts';

/** A block of one entry. */
function blockAt(offset: number, bytes: number) {
  const entries = new EntryBlock(offset);
  entries.push(0, bytes, recordKinds.points, 1n, [pointOf(offset)], '');
  return { offset, nextOffset: offset + bytes, entries };
}

it('holds the newest entries up to its bound, in the log and in memory', () => {
  const wide = new Tail(1_000_000);
  for (let n = 0; n < 20; n++) wide.push(blockAt(n * 100_000, 100_000));
  expect(wide.read(1_000_000, 1)).toBeUndefined();
  expect(wide.read(1_100_000, 1e9)).toHaveLength(9);
  // Of a tenth of the bound in the log: each is a block, which takes more than its bytes.
  const narrow = new Tail(1_000_000);
  for (let n = 0; n < 10_000; n++) narrow.push(blockAt(n * 10, 10));
  expect(narrow.read(0, 1)).toBeUndefined();
  expect(narrow.read(99_000, 1e9)).toHaveLength(100);
});

it('is no larger for a wide gap in the log', () => {
  const tail = new Tail(10_000);
  tail.push(blockAt(0, 1000));
  for (let n = 0; n < 100; n++) tail.push(blockAt(1_000_000 + n * 1000, 1000));
  expect(tail.read(1_050_000, 1)).toBeUndefined();
  expect(tail.read(1_099_000, 1e9)).toHaveLength(1);
});
