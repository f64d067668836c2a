import { type Fill, NS_PER_SECOND, type WindowFunction } from '@tidemark/core';
import { describe, expect, test } from 'vitest';
import { baseNs, readingAt, type Subject } from './subject.ts';

const functions: WindowFunction[] = ['count', 'mean', 'stddev', 'distinct', 'last'];

// Windows of 10 s: empty, points, empty, empty, points, empty; beginning and ending inside a window.
const readings = [
  readingAt(11, 'a', { x: 1 }),
  readingAt(12, 'a', { x: 3 }),
  readingAt(13, 'a', { x: 3 }),
  readingAt(19, 'a', { x: 5 }),
  readingAt(45, 'a', { x: 9 }),
  readingAt(25, 'b', { x: 7 }, 'north'),
];
const query = {
  fromNs: baseNs + 5n * NS_PER_SECOND,
  toNs: baseNs + 55n * NS_PER_SECOND,
  everyNs: 10n * NS_PER_SECOND,
  functions,
};
const deviation = Math.sqrt(8 / 3);
const one = [4, 3, deviation, 3, 5];
const four = [1, 9, null, 1, 9];

/** What stands in windows without points: as InfluxQL's fill(), see src/fill.ts. */
export function fillContract(subject: Subject): void {
  describe('fill', () => {
    const nothing = [null, null, null, null, null];
    const empty = [0, null, null, 0, null];
    const cases: [Fill, (number | null)[][]][] = [
      ['null', [empty, one, empty, empty, four, empty]],
      ['previous', [nothing, one, one, one, four, four]],
      ['linear', [nothing, one, [3, 5, null, 2, 5 + 4 / 3], [2, 7, null, 1, 5 + 8 / 3], four, nothing]],
      [0, [[0, 0, 0, 0, 0], one, [0, 0, 0, 0, 0], [0, 0, 0, 0, 0], four, [0, 0, 0, 0, 0]]],
      [
        -1.5,
        [
          [-1, -1.5, -1.5, -1, -1.5],
          one,
          [-1, -1.5, -1.5, -1, -1.5],
          [-1, -1.5, -1.5, -1, -1.5],
          four,
          [-1, -1.5, -1.5, -1, -1.5],
        ],
      ],
    ];
    test.each(cases)('%s', async (fill, expected) => {
      await subject.write(...readings);
      const windows = await subject.windows({ ...query, sensors: ['a'], fill });
      expect(windows.map(({ timeNs, metric }) => [Number(timeNs - baseNs) / 1e9, metric])).toEqual(
        [0, 10, 20, 30, 40, 50].map((seconds) => [seconds, 'x']),
      );
      windows.forEach(({ values }, index) => {
        functions.forEach((fn, position) => {
          const wanted = expected[index]?.[position];
          const value = values.get(fn);
          if (typeof wanted === 'number' && typeof value === 'number') expect(value).toBeCloseTo(wanted, 9);
          else expect(value, `${fn} of window ${index}`).toBe(wanted);
        });
      });
    });

    test('is made for each group that has points', async () => {
      await subject.write(...readings);
      const windows = await subject.windows({ ...query, functions: ['count'], by: ['sensor'], fill: 'null' });
      expect(windows.map(({ sensor, values }) => [sensor, values.get('count')])).toEqual([
        ...[0, 4, 0, 0, 1, 0].map((count) => ['a', count]),
        ...[0, 0, 1, 0, 0, 0].map((count) => ['b', count]),
      ]);
      const places = await subject.windows({ ...query, by: ['location', 'sensor'], fill: 'previous' });
      expect(places.map(({ location, sensor }) => [location, sensor])).toEqual([
        ...Array(6).fill([null, 'a']),
        ...Array(6).fill(['north', 'b']),
      ]);
    });

    test('makes nothing out of nothing', async () => {
      await subject.write(...readings);
      expect(await subject.windows({ ...query, sensors: ['nobody'], fill: 0 })).toEqual([]);
      expect(await subject.windows({ ...query, toNs: query.fromNs, fill: 0 })).toEqual([]);
    });
  });
}
