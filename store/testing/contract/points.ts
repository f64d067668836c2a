import { type FieldValue, type Point, readingToPoint, type Tag, Uint64 } from '@tidemark/core';
import { describe, expect, test } from 'vitest';
import { baseNs, readingAt, type Subject } from './subject.ts';

const odd: Point = {
  measurement: 'odd, "m" \\',
  tags: [
    ['a b\\', 'x,y='],
    ['sensor', 's\\'],
  ],
  fields: [
    ['f', -0],
    ['tiny', 5e-324],
    ['i', -9_223_372_036_854_775_808n],
    ['u', new Uint64(18_446_744_073_709_551_615n)],
    ['b', false],
    ['s', 'line\nbreak "q" \\'],
  ],
  timeNs: baseNs + 1n,
};

/** What is stored can be had as points, whatever it is. */
export function pointsContract(subject: Subject): void {
  const points = async (query = {}): Promise<string[]> => {
    const found: string[] = [];
    const all = { measurements: ['readings', odd.measurement], fromNs: 0n, toNs: 2n ** 63n, ...query };
    for await (const page of subject.engine.points(all))
      for (const point of page) found.push(...shown(point));
    return found.sort();
  };

  describe('points', () => {
    const readings = [
      readingToPoint(readingAt(0, 'a', { x: 1, state: 'on' }, 'north')),
      readingToPoint(readingAt(1, 'a', { x: 2 })),
      readingToPoint(readingAt(1, 'b', { x: 3, y: 4 }, 'south')),
    ];

    test('every type, name and time comes back as it was', async () => {
      const written = [...readings, odd];
      expect(await subject.engine.write(written)).toEqual([]);
      expect(await points()).toEqual(written.flatMap(shown).sort());
      await subject.reopen();
      expect(await points()).toEqual(written.flatMap(shown).sort());
    });

    test('measurements, sensors, locations, metrics and times choose', async () => {
      await subject.engine.write([...readings, odd]);
      const [first, second, third] = readings as [Point, Point, Point];
      expect(await points({ measurements: [] })).toEqual([]);
      expect(await points({ measurements: ['none'] })).toEqual([]);
      expect(await points({ measurements: [odd.measurement] })).toEqual(shown(odd).sort());
      expect(await points({ sensors: ['a', 's\\'] })).toEqual([first, second, odd].flatMap(shown).sort());
      expect(await points({ locations: ['south'] })).toEqual(shown(third).sort());
      const texts = shown({ ...first, fields: [['state_text', 'on']] });
      expect(await points({ metrics: ['state'] })).toEqual(texts);
      expect(await points({ metrics: ['state_text'] })).toEqual(texts);
      const atOne = { fromNs: second.timeNs, toNs: second.timeNs + 1n };
      expect(await points(atOne)).toEqual([second, third].flatMap(shown).sort());
      expect(await points({ fromNs: 0n, toNs: first.timeNs })).toEqual([]);
    });

    test('of a value written twice the last comes, once', async () => {
      await subject.engine.write([readings[1]!, readings[2]!]);
      const again = readingToPoint(readingAt(1, 'a', { x: 9 }));
      await subject.engine.write([again]);
      expect(await points()).toEqual([again, readings[2]!].flatMap(shown).sort());
    });

    test('many values come in pages, each value once', { timeout: 120_000 }, async () => {
      const text = 'long text '.repeat(6000);
      const written: Point[] = [];
      for (let index = 0; index < 45_000; index++) written.push(bigPoint(index % 3, index, [['x', index]]));
      for (let index = 0; index < 100; index++) written.push(bigPoint(0, index, [['s', `${index} ${text}`]]));
      for (let start = 0; start < written.length; start += 10_000)
        expect(await subject.engine.write(written.slice(start, start + 10_000))).toEqual([]);
      const found = new Set<string>();
      let values = 0;
      let largestPage = 0;
      const query = { measurements: ['big'], fromNs: 0n, toNs: 2n ** 63n };
      for await (const page of subject.engine.points(query)) {
        largestPage = Math.max(largestPage, page.length);
        const texts = page.flatMap(shown);
        values += texts.length;
        for (const text of texts) found.add(text.slice(0, 200));
      }
      expect(values).toBe(written.length);
      expect(found.size).toBe(written.length);
      expect(largestPage).toBeLessThanOrEqual(32_768);
    });
  });
}

function bigPoint(host: number, index: number, fields: Point['fields']): Point {
  return { measurement: 'big', tags: [['host', `h${host}`]], fields, timeNs: baseNs + BigInt(index) };
}

/** Its values one by one, as text that tells all apart: a point may come in parts. */
function shown({ measurement, tags, fields, timeNs }: Point): string[] {
  return fields.map(([field, value]) => [measurement, textOf(tags), field, typed(value), timeNs].join('|'));
}

function textOf(tags: readonly Tag[]): string {
  return JSON.stringify(tags);
}

function typed(value: FieldValue): string {
  if (value instanceof Uint64) return `unsigned ${value.value}`;
  return `${typeof value} ${Object.is(value, -0) ? '-0' : value}`;
}
