import { type FieldValue, readingToPoint } from '@tidemark/core';
import { describe, expect, test } from 'vitest';
import type { TypePolicy } from '../../src/type-policy.ts';
import { type EngineSource, pointAt, readingAt, useEngine } from './subject.ts';

/** Written to a field of `readings` that is a float; the sum of those taken is what counts. */
const floats: [FieldValue, value: number][] = [
  [5n, 5],
  [true, 1],
  ['12.5', 12.5],
  ['warm', 0],
  [2n ** 53n + 1n, 0],
];

/** Positions of `floats` that are taken. */
const taken: Record<TypePolicy, number[]> = { quarantine: [], pin: [0], coerce: [0, 1, 2] };

/** What becomes of values of another type than the first of their field. */
export function policyContract(source: EngineSource): void {
  describe.each(['quarantine', 'pin', 'coerce'] as const)('%s', (policy) => {
    const subject = useEngine(source, policy);

    test('takes what it says as the float that the field is, and refuses the rest by position', async () => {
      await subject.write(readingAt(0, 'a', { x: 0 }));
      const rejected = await subject.engine.write(
        floats.map(([value], index) => ({
          ...readingToPoint(readingAt(index + 1, 'a', { x: 0 })),
          fields: [['x', value]],
        })),
      );
      const refused = floats.map((_, index) => index).filter((index) => !taken[policy].includes(index));
      expect(rejected.map(({ index, reason }) => [index, reason])).toEqual(
        refused.map((index) => [index, 'type_conflict']),
      );
      const readings = await subject.readings();
      expect(readings.map(({ values }) => values[0]?.[1])).toEqual([
        0,
        ...taken[policy].map((index) => floats[index]![1]),
      ]);
    });

    test('holds for a type that the same batch, or an earlier run, has pinned', async () => {
      const batch = [
        pointAt(0, 'm', [['v', 1n]]),
        pointAt(1, 'm', [['v', 5]]),
        pointAt(2, 'm', [['v', 5.5]]),
      ];
      const expected = policy === 'quarantine' ? [1, 2] : [2];
      const positions = async () => (await subject.engine.write(batch)).map(({ index }) => index);
      expect(await positions()).toEqual(expected);
      await subject.reopen();
      expect(await positions()).toEqual(expected);
      expect(await subject.engine.fields()).toEqual([{ measurement: 'm', field: 'v', type: 'integer' }]);
    });

    test('refuses a point as a whole when one of its values is lost', async () => {
      await subject.write(readingAt(0, 'a', { x: 0 }));
      const point = readingToPoint(readingAt(1, 'a', { x: 0, y: 1 }));
      const mixed = {
        ...point,
        fields: [
          ['y', 1],
          ['x', 'warm'],
        ],
      } as const;
      expect(await subject.engine.write([mixed])).toMatchObject([{ index: 0, reason: 'type_conflict' }]);
      expect(await subject.readings()).toHaveLength(1);
    });
  });
}
