import { NS_PER_DAY, READINGS } from '@tidemark/core';
import { describe, expect, test } from 'vitest';
import { baseNs, pointAt, readingAt, type Subject, shown } from './subject.ts';

const day = 86_400;

/** What is removed is what is older than its measurement may be, and nothing else. */
export function purgeContract(subject: Subject): void {
  const purge = (beforeNs: bigint, measurement: string = READINGS) =>
    subject.engine.purge([{ measurement, beforeNs }]);

  describe('purge', () => {
    test('removes the points before a time, and counts their values', async () => {
      const kept = [readingAt(day, 'a', { x: 3, note: 'kept' }), readingAt(3 * day, 'b', { x: 4 })];
      await subject.write(
        ...kept,
        readingAt(0, 'a', { x: 1, note: 'text' }, 'north'),
        readingAt(day - 0.001, 'a', { x: 2 }),
        // Late, and twice: one value.
        readingAt(5, 'b', { x: 5 }),
        readingAt(5, 'b', { x: 6 }),
      );
      expect(await purge(baseNs + NS_PER_DAY)).toEqual({ points: 4 });
      expect(shown(await subject.readings())).toEqual(shown(kept));
      await subject.reopen();
      expect(shown(await subject.readings())).toEqual(shown(kept));
      expect(await purge(baseNs + NS_PER_DAY)).toEqual({ points: 0 });
    });

    test('leaves other measurements, and those of another time', async () => {
      await subject.engine.write([pointAt(0, 'power', [['w', 1]]), pointAt(0, 'other name', [['w', 1]])]);
      await subject.write(readingAt(0, 'a', { w: 1 }), readingAt(2 * day, 'a', { w: 1 }));
      const found = await subject.engine.purge([
        { measurement: 'power', beforeNs: baseNs + 10n * NS_PER_DAY },
        { measurement: READINGS, beforeNs: baseNs + NS_PER_DAY },
        { measurement: 'nothing', beforeNs: baseNs + NS_PER_DAY },
      ]);
      expect(found).toEqual({ points: 2 });
      const { oldestNs } = await subject.engine.storage();
      expect(oldestNs).toEqual(
        new Map([
          ['other name', baseNs],
          [READINGS, baseNs + 2n * NS_PER_DAY],
        ]),
      );
    });

    test('lets a sensor begin anew that has nothing left, and late points come in', async () => {
      await subject.write(
        readingAt(0, 'gone', { x: 1 }, 'north'),
        readingAt(2 * day, 'gone', { x: 2 }, 'south'),
      );
      await purge(baseNs + NS_PER_DAY);
      expect((await subject.engine.latest({})).map(({ location, value }) => [location, value])).toEqual([
        ['south', 2],
      ]);
      await purge(baseNs + 3n * NS_PER_DAY);
      expect(await subject.engine.latest({})).toEqual([]);
      expect(await subject.readings()).toEqual([]);
      const late = [readingAt(1, 'gone', { x: 3 }, 'north'), readingAt(5 * day, 'gone', { x: 4 }, 'south')];
      await subject.write(...late);
      expect(shown(await subject.readings())).toEqual(shown(late));
      await subject.reopen();
      expect(shown(await subject.readings())).toEqual(shown(late));
      expect(await purge(baseNs + 3n * NS_PER_DAY)).toEqual({ points: 1 });
      expect(shown(await subject.readings())).toEqual(shown(late.slice(1)));
    });
  });

  test('tells the oldest point of each measurement', async () => {
    expect((await subject.engine.storage()).oldestNs).toEqual(new Map());
    await subject.write(readingAt(5, 'a', { x: 1 }), readingAt(3, 'a', { x: 1, note: 'b' }));
    await subject.engine.write([pointAt(-4, 'power', [['on', true]])]);
    expect((await subject.engine.storage()).oldestNs).toEqual(
      new Map([
        [READINGS, baseNs + 3_000_000_000n],
        ['power', baseNs - 4_000_000_000n],
      ]),
    );
  });
}
