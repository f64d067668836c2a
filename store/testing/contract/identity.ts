import { NS_PER_DAY, readingToPoint } from '@tidemark/core';
import { describe, expect, test } from 'vitest';
import { baseNs, readingAt, type Subject, shown } from './subject.ts';

/** The identity of a value is series + field + time; the last write wins. */
export function identityContract(subject: Subject): void {
  describe('identity', () => {
    test('the last of a batch wins', async () => {
      await subject.write(
        readingAt(0, 's', { m: 1 }),
        readingAt(0, 's', { m: 3 }),
        readingAt(0, 's', { m: 2 }),
      );
      expect(shown(await subject.readings())).toEqual(shown([readingAt(0, 's', { m: 2 })]));
      expect(await counted(subject)).toBe(1);
    });

    test('a later batch wins, in whatever order times come', async () => {
      await subject.write(readingAt(2, 's', { m: 1 }), readingAt(0, 's', { m: 1 }));
      await subject.write(readingAt(1, 's', { m: 1 }));
      await subject.write(readingAt(0, 's', { m: 10 }));
      await subject.write(readingAt(2, 's', { m: 20 }), readingAt(1, 's', { m: 15 }));
      await subject.write(readingAt(1, 's', { m: 11 }));
      expect(shown(await subject.readings())).toEqual(
        shown([readingAt(0, 's', { m: 10 }), readingAt(1, 's', { m: 11 }), readingAt(2, 's', { m: 20 })]),
      );
      expect(await counted(subject)).toBe(3);
    });

    test('many rapid overwrites leave the last', async () => {
      for (let value = 0; value < 30; value += 1) await subject.write(readingAt(0, 's', { m: value }));
      expect(shown(await subject.readings())).toEqual(shown([readingAt(0, 's', { m: 29 })]));
    });

    test('the same batch written again changes nothing', async () => {
      const batch = [readingAt(0, 'a', { m: 1 }), readingAt(0, 'b', { m: 2 }), readingAt(1, 'a', { m: 3 })];
      await subject.write(...batch);
      await subject.write(...batch);
      expect(shown(await subject.readings())).toEqual(shown(batch));
      expect(await counted(subject)).toBe(3);
    });

    test('another field of the same reading joins it', async () => {
      await subject.write(readingAt(0, 's', { temperature: 20, note: 'first' }));
      await subject.write(readingAt(0, 's', { humidity: 40 }));
      await subject.write(readingAt(0, 's', { temperature: 21, note: 'second' }));
      expect(shown(await subject.readings())).toEqual(
        shown([readingAt(0, 's', { temperature: 21, humidity: 40, note: 'second' })]),
      );
    });

    test('fields of one reading join within a batch', async () => {
      await subject.write(
        readingAt(0, 's', { a: 1, b: 1 }),
        readingAt(0, 's', { b: 2, c: 2 }),
        readingAt(0, 's', { c: 3 }),
      );
      expect(shown(await subject.readings())).toEqual(shown([readingAt(0, 's', { a: 1, b: 2, c: 3 })]));
    });

    test('sensors, metrics and times are apart', async () => {
      const written = [
        readingAt(0, 'a', { x: 1, y: 2 }),
        readingAt(0, 'b', { x: 3 }),
        { ...readingAt(0, 'a', { x: 4 }), timeNs: baseNs + 1n },
      ];
      await subject.write(...written);
      expect(shown(await subject.readings())).toEqual(
        shown([
          readingAt(0, 'a', { x: 1, y: 2 }),
          readingAt(0, 'b', { x: 3 }),
          { ...readingAt(0, 'a', { x: 4 }), timeNs: baseNs + 1n },
        ]),
      );
    });

    test('a point years late is stored like any other', async () => {
      await subject.write(readingAt(0, 's', { m: 1 }));
      const late = { ...readingAt(0, 's', { m: 0 }), timeNs: baseNs - 4000n * NS_PER_DAY };
      await subject.write(late);
      expect(shown(await subject.readings())).toEqual(shown([late, readingAt(0, 's', { m: 1 })]));
    });

    test('the values of two locations of a sensor at one time are one reading, at the later in order', async () => {
      await subject.write(
        readingAt(0, 's', { b: 2, c: 2 }, 'west'),
        readingAt(0, 's', { a: 1, b: 1 }, 'east'),
        readingAt(0, 's', { a: 0, d: 0 }),
      );
      expect(shown(await subject.readings())).toEqual(
        shown([readingAt(0, 's', { a: 1, b: 2, c: 2, d: 0 }, 'west')]),
      );
    });

    test('10 000 points in a batch, and none', async () => {
      const batch = Array.from({ length: 10_000 }, (_, index) =>
        readingAt(index / 7, `s${index % 100}`, { m: index }),
      );
      await subject.write(...batch);
      expect(await subject.engine.write([])).toEqual([]);
      const read = await subject.readings();
      expect(shown(read)).toEqual(shown(batch));
      expect(await counted(subject)).toBe(10_000);
    });

    test('writing does not change what it was given', async () => {
      const batch = [readingAt(0, 's', { a: 1 }), readingAt(0, 's', { a: 2, b: 3 })].map(readingToPoint);
      const before = structuredClone(batch);
      await subject.engine.write(batch);
      expect(batch).toEqual(before);
    });
  });
}

async function counted(subject: Subject): Promise<number> {
  const windows = await subject.windows({ functions: ['count'] });
  return windows.reduce((sum, { values }) => sum + (values.get('count') ?? 0), 0);
}
