import type { Reading } from '@tidemark/core';
import { describe, expect, test } from 'vitest';
import { baseNs, readingAt, type Subject, shown } from './subject.ts';

// Out of order, with equal times, several locations and sensors whose order differs by UTF-16 unit.
const written = [
  readingAt(3, 'b', { x: 8 }, 'north'),
  readingAt(0, 'a', { x: 1, y: 2, state: 'on' }, 'north'),
  readingAt(0, 'b', { x: 3 }, 'south'),
  readingAt(0, '🚲', { x: 4 }),
  readingAt(0, '\uff21', { x: 5 }),
  readingAt(1, 'a', { y: 6 }),
  readingAt(2, 'a', { state: 'off' }, 'south'),
  readingAt(3, 'a', { x: 7 }, 'north'),
];

const inOrder = [1, 2, 4, 3, 5, 6, 7, 0].map((index) => written[index]!);

/** Readings by time, then sensor; filtered, limited and paged. */
export function readingsContract(subject: Subject): void {
  describe('readings', () => {
    test('come by time, then by sensor', async () => {
      await subject.write(...written);
      expect(shown(await subject.readings())).toEqual(shown(inOrder));
      expect(shown(await subject.readings({ order: 'desc' }))).toEqual(shown(inOrder.toReversed()));
    });

    test('lie in [from, to)', async () => {
      await subject.write(...written);
      const found = await subject.readings({
        fromNs: baseNs + 1_000_000_000n,
        toNs: baseNs + 3_000_000_000n,
      });
      expect(shown(found)).toEqual(shown([written[5]!, written[6]!]));
      expect(await subject.readings({ fromNs: baseNs + 1n, toNs: baseNs + 1n })).toEqual([]);
      expect(await subject.readings({ fromNs: baseNs + 2n, toNs: baseNs + 1n })).toEqual([]);
    });

    const filters: [string, object, Reading[]][] = [
      ['a sensor', { sensors: ['b'] }, [written[2]!, written[0]!]],
      ['sensors', { sensors: ['b', '🚲'] }, [written[2]!, written[3]!, written[0]!]],
      ['a location', { locations: ['south'] }, [written[2]!, written[6]!]],
      ['locations', { locations: ['north', 'south'] }, [1, 2, 6, 7, 0].map((index) => written[index]!)],
      ['a sensor at a location', { sensors: ['a'], locations: ['south'] }, [written[6]!]],
      ['a text metric', { metrics: ['state'] }, [readingAt(0, 'a', { state: 'on' }, 'north'), written[6]!]],
      ['a metric', { metrics: ['y'] }, [readingAt(0, 'a', { y: 2 }, 'north'), written[5]!]],
      [
        'metrics',
        { metrics: ['y', 'state'] },
        [readingAt(0, 'a', { y: 2, state: 'on' }, 'north'), written[5]!, written[6]!],
      ],
      ['empty lists', { sensors: [], locations: [], metrics: [] }, inOrder],
      ['an unknown sensor', { sensors: ['nobody'] }, []],
      ['an unknown location', { locations: ['nowhere'] }, []],
      ['an unknown metric', { metrics: ['nothing'] }, []],
      ['a known and an unknown sensor', { sensors: ['nobody', 'b'] }, [written[2]!, written[0]!]],
    ];
    test.each(filters)('of %s', async (_name, filter, expected) => {
      await subject.write(...written);
      expect(shown(await subject.readings(filter))).toEqual(shown(expected));
    });

    test.each(['asc', 'desc'] as const)('are limited, %s', async (order) => {
      await subject.write(...written);
      const all = order === 'asc' ? inOrder : inOrder.toReversed();
      for (let limit = 1; limit <= all.length + 1; limit += 1) {
        expect(shown(await subject.readings({ order, limit })), `${limit}`).toEqual(
          shown(all.slice(0, limit)),
        );
      }
    });

    test.each(['asc', 'desc'] as const)('go on after any of them, %s', async (order) => {
      await subject.write(...written);
      const all = order === 'asc' ? inOrder : inOrder.toReversed();
      for (const limit of [1, 2, 3, 5]) {
        const paged: Reading[] = [];
        for (;;) {
          const last = paged.at(-1);
          const after = last && { timeNs: last.timeNs, sensor: last.sensor };
          const page = await subject.readings({ order, limit, after });
          expect(page.length).toBeLessThanOrEqual(limit);
          if (page.length === 0) break;
          paged.push(...page);
        }
        expect(shown(paged), `pages of ${limit}`).toEqual(shown(all));
      }
    });

    test('go on after a place where no reading is', async () => {
      await subject.write(...written);
      const after = { timeNs: baseNs, sensor: 'aa' };
      expect(shown(await subject.readings({ after }))).toEqual(shown(inOrder.slice(1)));
      expect(shown(await subject.readings({ after, order: 'desc' }))).toEqual(shown(inOrder.slice(0, 1)));
      const outside = { timeNs: baseNs - 5n, sensor: 'a' };
      expect(shown(await subject.readings({ after: outside, fromNs: baseNs }))).toEqual(shown(inOrder));
      expect(await subject.readings({ after: outside, fromNs: baseNs, order: 'desc' })).toEqual([]);
    });

    test('many sensors at each time are paged without gap or repetition', async () => {
      const many = Array.from({ length: 300 }, (_, index) =>
        readingAt(Math.floor(index / 50), `s${String(index % 50).padStart(2, '0')}`, { x: index }),
      );
      await subject.write(...many);
      const values: unknown[] = [];
      for (let after: Reading | undefined; ; ) {
        const page = await subject.readings({ limit: 37, after });
        if (page.length === 0) break;
        values.push(...page.map((item) => item.values[0]?.[1]));
        after = page.at(-1);
      }
      expect(values).toEqual(many.map((_, index) => index));
    });

    test('in bursts, with days between, are as many as asked for, from both ends', async () => {
      const burst = (day: number, stepNs: bigint, count: number) =>
        Array.from({ length: count }, (_, n) => ({
          ...readingAt(day * 86_400, `s${n % 7}`, n % 5 === 0 ? { x: n, state: 'on' } : { x: n }),
          timeNs: baseNs + BigInt(day) * 86_400_000_000_000n + BigInt(n) * stepNs,
        }));
      const bursts = [
        burst(0, 1n, 30),
        burst(3, 1_000_000n, 6000),
        burst(4, 1000n, 6000),
        burst(40, 1n, 8000),
      ].flat();
      await subject.write(...bursts);
      for (const order of ['asc', 'desc'] as const) {
        const ordered = order === 'asc' ? bursts : bursts.toReversed();
        for (const limit of [1000, 6030, 8001, 30_000]) {
          const found = await subject.readings({ order, limit });
          expect(shown(found)).toEqual(shown(ordered.slice(0, limit)));
          const rest = await subject.readings({ order, limit, after: found.at(-1) });
          expect(shown(rest)).toEqual(shown(ordered.slice(limit, 2 * limit)));
        }
      }
    });

    test('150 000 in one answer', async () => {
      for (let batch = 0; batch < 15; batch += 1) {
        await subject.write(
          ...Array.from({ length: 10_000 }, (_, index) =>
            readingAt(batch * 100 + Math.floor(index / 100), `s${String(index % 100).padStart(2, '0')}`, {
              x: batch,
            }),
          ),
        );
      }
      for (const limit of [149_999, 200_000]) {
        const found = await subject.readings({ limit });
        expect(found).toHaveLength(Math.min(limit, 150_000));
        expect(found.at(-1)?.timeNs).toBe(baseNs + 1499n * 1_000_000_000n);
      }
    }, 60_000);

    test('of each sensor begin with the oldest, also when it came last', async () => {
      await subject.write(...written);
      for (const reading of [
        readingAt(-5, 'b', { x: 9 }),
        readingAt(-7, 'a', { x: 10 }),
        readingAt(-6, 'new', { x: 1 }),
      ]) {
        const { sensor } = reading;
        await subject.readings({ sensors: [sensor], limit: 1 });
        await subject.readings({ limit: 1 });
        await subject.write(reading);
        expect(shown(await subject.readings({ sensors: [sensor], limit: 1 }))).toEqual(shown([reading]));
      }
      await subject.write(readingAt(-7, 'a', { x: 11 }));
      expect((await subject.readings({ limit: 1 }))[0]).toMatchObject({ sensor: 'a', values: [['x', 11]] });
      await subject.write(readingAt(-7, 'a', { x: 10 }));
      await subject.engine.renameSensor('a', 'c');
      expect((await subject.readings({ limit: 1 }))[0]).toMatchObject({ sensor: 'c', values: [['x', 10]] });
      await subject.readings({ sensors: ['c', 'b'], limit: 1 });
      await subject.engine.deleteSensor('c');
      expect(await subject.readings({ sensors: ['c', 'b'], limit: 1 })).toMatchObject([{ sensor: 'b' }]);
      expect((await subject.readings({ limit: 1 }))[0]).toMatchObject({ sensor: 'new' });
      await subject.engine.renameSensor('new', 'c');
      expect((await subject.readings({ limit: 1 }))[0]).toMatchObject({ sensor: 'c' });
      expect(await subject.readings({ sensors: ['c', 'b'], limit: 1 })).toMatchObject([{ sensor: 'c' }]);
      await subject.engine.purge([{ measurement: 'readings', beforeNs: baseNs + 1n }]);
      expect(shown(await subject.readings({ limit: 1 }))).toEqual(shown([written[0]!]));
    });

    test('are found by sensor and time, in the order asked for', async () => {
      await subject.write(...written);
      const absent = [readingAt(1, 'b', {}), readingAt(0, 'nobody', {}), readingAt(9, 'a', {})];
      const keys = [written[7]!, absent[0]!, ...inOrder, written[7]!, absent[1]!, absent[2]!];
      const found = await subject.engine.readingsAt(keys.map(({ sensor, timeNs }) => ({ sensor, timeNs })));
      expect(found.map((reading) => reading && shown([reading]))).toEqual([
        shown([written[7]!]),
        undefined,
        ...inOrder.map((reading) => shown([reading])),
        shown([written[7]!]),
        undefined,
        undefined,
      ]);
    });

    test('are found among many, wherever they are, as they were written last', async () => {
      const days = Array.from({ length: 600 }, (_, n) =>
        readingAt(n * 40_000, `s${n % 150}`, { x: n, y: -n }),
      );
      await subject.write(...days);
      const again = days
        .filter((_, n) => n % 7 === 0)
        .map((reading) => ({ ...reading, values: [['x', 0.5]] }) as Reading);
      await subject.write(...again);
      const check = async () => {
        const found = await subject.engine.readingsAt(days.map(({ sensor, timeNs }) => ({ sensor, timeNs })));
        expect(found).toHaveLength(days.length);
        found.forEach((reading, n) => {
          expect(Object.fromEntries(reading!.values)).toEqual({ x: n % 7 === 0 ? 0.5 : n, y: -n });
        });
      };
      await check();
      await subject.reopen();
      await check();
      // Some of what the reading has is of before, and some of now.
      await subject.write({ ...days[70]!, values: [['y', 8]] }, { ...days[71]!, values: [['z', 9]] });
      const [last, more] = await subject.engine.readingsAt([days[70]!, days[71]!]);
      expect(Object.fromEntries(last!.values)).toEqual({ x: 0.5, y: 8 });
      expect(Object.fromEntries(more!.values)).toEqual({ x: 71, y: -71, z: 9 });
    });

    test('of an empty store are none', async () => {
      expect(await subject.readings()).toEqual([]);
      expect(await subject.engine.readingsAt([{ sensor: 'a', timeNs: baseNs }])).toEqual([undefined]);
      expect(await subject.engine.latest({})).toEqual([]);
      expect(await subject.windows()).toEqual([]);
      expect(await subject.engine.fields()).toEqual([]);
    });
  });
}
