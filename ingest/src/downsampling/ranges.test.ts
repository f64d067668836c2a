import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Range, Ranges } from './ranges.ts';

const range = fc
  .tuple(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 1, max: 9 }))
  .map(([start, length]): Range => [start, start + length]);

const minutesOf = (ranges: readonly Range[]): number[] =>
  ranges.flatMap(([start, end]) => Array.from({ length: end - start }, (_, index) => start + index));

test('are the minutes that were added, in order and apart', () => {
  fc.assert(
    fc.property(fc.array(range), range, (added, asked) => {
      const ranges = new Ranges(added);
      const minutes = new Set(minutesOf(added));
      expect(minutesOf(ranges.all)).toEqual([...minutes].sort((a, b) => a - b));
      ranges.all.slice(1).forEach(([start], index) => {
        expect(start).toBeGreaterThan(ranges.all[index]![1]);
      });
      expect(ranges.has(asked)).toBe(minutesOf([asked]).every((minute) => minutes.has(minute)));
    }),
  );
});

test('are taken from the first on, in pieces, and none that is not over', () => {
  const ranges = new Ranges([
    [10, 15],
    [20, 30],
  ]);
  expect(ranges.take(10, 5)).toBeUndefined();
  expect(ranges.take(25, 3)).toEqual([10, 13]);
  expect(ranges.take(25, 3)).toEqual([13, 15]);
  expect(ranges.take(25, 100)).toEqual([20, 25]);
  expect(ranges.take(25, 100)).toBeUndefined();
  expect(ranges.all).toEqual([[25, 30]]);
});

test('are joined over the smallest gaps when there are too many, and hold all that was added', () => {
  const ranges = new Ranges();
  const added = Array.from({ length: 25_000 }, (_, index): Range => [index * index, index * index + 1]);
  for (const one of added) ranges.add(one);
  expect(ranges.all.length).toBeLessThanOrEqual(10_000);
  expect(added.every((one) => ranges.has(one))).toBe(true);
});
