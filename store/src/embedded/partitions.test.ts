import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type DayRange, MAX_WIDTH_DAYS, partitionFor, splitRange } from './partitions.ts';

const MAX_ROWS = 1000;
const day = fc.integer({ min: -5000, max: 40_000 });

test('a first partition is as wide as can be', () => {
  expect(partitionFor(20_000, [], MAX_ROWS)).toEqual({ startDay: 19_968, widthDays: 512 });
  expect(partitionFor(-1, [], MAX_ROWS)).toEqual({ startDay: -512, widthDays: 512 });
});

test('beside a dense one it is narrow, beside a sparse one wide', () => {
  const dense = { startDay: 19_968, widthDays: 1, rows: 900 };
  expect(partitionFor(19_969, [dense], MAX_ROWS).widthDays).toBe(1);
  const medium = { startDay: 19_968, widthDays: 4, rows: 400 };
  expect(partitionFor(19_980, [medium], MAX_ROWS)).toEqual({ startDay: 19_976, widthDays: 8 });
  const sparse = { startDay: 19_968, widthDays: 1, rows: 1 };
  expect(partitionFor(20_300, [sparse], MAX_ROWS)).toEqual({ startDay: 20_224, widthDays: 256 });
});

test('partitions are aligned, hold their day and never overlap', () => {
  fc.assert(
    fc.property(fc.array(fc.record({ day, rows: fc.integer({ min: 0, max: 3000 }) })), (additions) => {
      const partitions: (DayRange & { rows: number })[] = [];
      for (const { day, rows } of additions) {
        if (partitions.some((range) => holds(range, day))) continue;
        const range = partitionFor(day, partitions, MAX_ROWS);
        expect(holds(range, day)).toBe(true);
        expect(isAligned(range)).toBe(true);
        for (const other of partitions) {
          const isApart =
            range.startDay + range.widthDays <= other.startDay ||
            other.startDay + other.widthDays <= range.startDay;
          expect(isApart).toBe(true);
        }
        partitions.push({ ...range, rows });
      }
    }),
  );
});

test('a split keeps every row, in parts that are small or a day', () => {
  const counts = fc.dictionary(
    fc.integer({ min: 0, max: 511 }).map(String),
    fc.integer({ min: 1, max: 800 }),
  );
  fc.assert(
    fc.property(counts, (rows) => {
      const rowsByDay = new Map(Object.entries(rows).map(([name, count]) => [Number(name), count]));
      const parts = splitRange({ startDay: 0, widthDays: 512 }, rowsByDay, MAX_ROWS);
      for (const [day] of rowsByDay) expect(parts.filter((part) => holds(part, day))).toHaveLength(1);
      for (const part of parts) {
        const inside = [...rowsByDay].filter(([day]) => holds(part, day));
        const total = inside.reduce((sum, [, count]) => sum + count, 0);
        expect(isAligned(part)).toBe(true);
        expect(total).toBeGreaterThan(0);
        expect(total <= MAX_ROWS || part.widthDays === 1).toBe(true);
      }
    }),
  );
});

function holds({ startDay, widthDays }: DayRange, day: number): boolean {
  return day >= startDay && day < startDay + widthDays;
}

function isAligned({ startDay, widthDays }: DayRange): boolean {
  return widthDays <= MAX_WIDTH_DAYS && Number.isInteger(Math.log2(widthDays)) && startDay % widthDays === 0;
}
