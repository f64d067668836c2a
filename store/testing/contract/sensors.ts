import { type Point, Uint64 } from '@tidemark/core';
import { describe, expect, test } from 'vitest';
import { baseNs, readingAt, type Subject, shown } from './subject.ts';

const oddNames = [
  'plain',
  'with space',
  "it's",
  'a"b',
  'a\\b',
  'trailing\\',
  'a,b=c',
  '🚲',
  '__proto__',
  '1',
];

/** What is removed and renamed is all of a sensor, and nothing else. */
export function sensorContract(subject: Subject): void {
  deletionContract(subject);
  renamingContract(subject);
}

function deletionContract(subject: Subject): void {
  const remove = (sensor: string) => subject.engine.deleteSensor(sensor);

  describe('deletion of a sensor', () => {
    test('removes its values at all places and times, and counts them', async () => {
      const other = [readingAt(0, 'b', { x: 1, note: 'kept' }, 'north'), readingAt(1, 'bb', { x: 2 })];
      await subject.write(
        ...other,
        readingAt(0, 'a', { x: 1, note: 'text' }, 'north'),
        readingAt(-300_000_000, 'a', { x: 2 }),
        readingAt(1, 'a', { x: 3, y: 4 }, 'south'),
        // Late, and twice: one value.
        readingAt(-5, 'a', { x: 5 }),
        readingAt(-5, 'a', { x: 6 }),
      );
      expect(await subject.engine.countSensor('a')).toBe(6);
      expect(await remove('a')).toEqual({ points: 6 });
      expect(await subject.engine.countSensor('a')).toBe(0);
      expect(shown(await subject.readings())).toEqual(shown(other));
      expect((await subject.engine.latest({})).map(({ sensor }) => sensor)).toEqual(['b', 'b', 'bb']);
      expect((await subject.windows({ functions: ['sum'] }))[0]?.values.get('sum')).toBe(3);
      await subject.reopen();
      expect(shown(await subject.readings())).toEqual(shown(other));
      expect(await subject.engine.latest({ sensors: ['a'] })).toEqual([]);
    });

    test('is done once, and of nothing is no error', async () => {
      await subject.write(readingAt(0, 'a', { x: 1 }));
      expect(await remove('nobody')).toEqual({ points: 0 });
      expect(await remove('a')).toEqual({ points: 1 });
      expect(await remove('a')).toEqual({ points: 0 });
    });

    test('lets the sensor begin anew', async () => {
      const before = readingAt(0, 'a', { x: 1 });
      await subject.write(before, readingAt(5, 'a', { x: 2 }));
      await remove('a');
      await subject.write(before, readingAt(-1, 'a', { x: 3 }), readingAt(0, 'c', { x: 4 }));
      const after = [readingAt(-1, 'a', { x: 3 }), before, readingAt(0, 'c', { x: 4 })];
      expect(shown(await subject.readings())).toEqual(shown(after));
      await subject.reopen();
      expect(shown(await subject.readings())).toEqual(shown(after));
      expect((await subject.engine.latest({})).map(({ value }) => value)).toEqual([1, 4]);
    });

    test("reaches the platform's own measurements, and no others", async () => {
      await subject.engine.write([
        measured('alerts', 'a'),
        measured('alerts', 'b'),
        measured('weather', 'a'),
      ]);
      expect(await remove('a')).toEqual({ points: 5 });
      expect(await remove('b')).toEqual({ points: 5 });
      await subject.reopen();
      expect((await subject.engine.fields()).map(({ measurement }) => measurement)).toContain('weather');
    });

    test('takes any id, and only that one', async () => {
      await subject.write(...oddNames.map((name, index) => readingAt(index, name, { x: index })));
      for (const [index, name] of oddNames.entries()) {
        expect(await remove(name), name).toEqual({ points: 1 });
        const left = (await subject.readings()).map(({ sensor }) => sensor);
        expect(left).toEqual(oddNames.slice(index + 1));
      }
    });
  });
}

function renamingContract(subject: Subject): void {
  const rename = (from: string, to: string) => subject.engine.renameSensor(from, to);

  describe('renaming of a sensor', () => {
    test('keeps its history under the new name', async () => {
      const history = (sensor: string) => [
        readingAt(-300_000_000, sensor, { x: 2 ** 53 + 2 }),
        readingAt(-5, sensor, { x: 5, y: -0 }, 'north'),
        readingAt(0, sensor, { x: 1 / 3, note: 'two\nlines, "quoted"' }, 'north'),
        readingAt(1, sensor, { x: 3 }, 'south'),
      ];
      const other = readingAt(2, 'b', { x: 1 });
      await subject.write(...history('a').reverse(), other);
      await rename('a', 'new');
      const check = async () => {
        expect(shown(await subject.readings())).toEqual(shown([...history('new'), other]));
        expect(await subject.readings({ sensors: ['a'] })).toEqual([]);
        const latest = await subject.engine.latest({ sensors: ['new'], metrics: ['x'] });
        expect(latest).toMatchObject([{ sensor: 'new', location: 'south', value: 3 }]);
        expect(await subject.engine.latest({ sensors: ['a'] })).toEqual([]);
        const windows = await subject.windows({ by: ['sensor'], metrics: ['x'], functions: ['sum'] });
        expect(windows.map(({ sensor, values }) => [sensor, values.get('sum')])).toEqual([
          ['b', 1],
          ['new', 1 / 3 + 3],
        ]);
      };
      await check();
      await subject.reopen();
      await check();
    });

    test('leaves the old name free, and the new one in use', async () => {
      await subject.write(readingAt(0, 'a', { x: 1 }));
      await rename('a', 'b');
      const after = [readingAt(0, 'a', { x: 10 }), readingAt(0, 'b', { x: 2 }), readingAt(1, 'b', { x: 3 })];
      await subject.write(...after);
      expect(shown(await subject.readings())).toEqual(shown(after));
      await subject.reopen();
      expect(shown(await subject.readings())).toEqual(shown(after));
      expect(await subject.engine.deleteSensor('b')).toEqual({ points: 2 });
    });

    test('is refused when both have data, and changes nothing then', async () => {
      const before = [readingAt(0, 'a', { x: 1 }), readingAt(0, 'b', { x: 2 })];
      await subject.write(...before);
      await expect(rename('a', 'b')).rejects.toMatchObject({ code: 'conflict', retryable: false });
      expect(shown(await subject.readings())).toEqual(shown(before));
    });

    test('is done once, and of nothing is no error', async () => {
      await subject.write(readingAt(0, 'a', { x: 1 }));
      await rename('nobody', 'somebody');
      await rename('a', 'a');
      await rename('a', 'b');
      await rename('a', 'b');
      expect(shown(await subject.readings())).toEqual(shown([readingAt(0, 'b', { x: 1 })]));
    });

    test('is possible to the name of a sensor that was deleted', async () => {
      await subject.write(readingAt(0, 'a', { x: 1 }), readingAt(0, 'b', { x: 2 }));
      await subject.engine.deleteSensor('b');
      await rename('a', 'b');
      expect(shown(await subject.readings())).toEqual(shown([readingAt(0, 'b', { x: 1 })]));
    });

    test("reaches the platform's own measurements, of every type", async () => {
      await subject.engine.write([measured('alerts', 'a'), measured('weather', 'a')]);
      await rename('a', 'b');
      expect(await subject.engine.deleteSensor('a')).toEqual({ points: 0 });
      expect(await subject.engine.deleteSensor('b')).toEqual({ points: 5 });
    });

    test('takes any id', async () => {
      await subject.write(readingAt(0, 'start', { x: 1 }));
      for (const [index, name] of oddNames.entries()) await rename(oddNames[index - 1] ?? 'start', name);
      expect(shown(await subject.readings())).toEqual(shown([readingAt(0, oddNames.at(-1)!, { x: 1 })]));
    });

    test('keeps 25 000 readings, many of them at one time', async () => {
      const history = (sensor: string) =>
        Array.from({ length: 25_000 }, (_, index) =>
          readingAt(Math.floor(index / 3), sensor, { [`m${index % 3}`]: index }, `l${index % 3}`),
        );
      await subject.write(...history('a'));
      const query = { locations: ['l2'] };
      const before = await subject.readings({ ...query, sensors: ['a'] });
      await rename('a', 'b');
      expect(await subject.readings({ sensors: ['a'] })).toEqual([]);
      const expected = before.map((reading) => ({ ...reading, sensor: 'b' }));
      expect(shown(await subject.readings({ ...query, sensors: ['b'] }))).toEqual(shown(expected));
      expect(await subject.engine.deleteSensor('b')).toEqual({ points: 25_000 });
    });
  });
}

/** A point with a value of each type. */
function measured(measurement: string, sensor: string): Point {
  return {
    measurement,
    tags: [
      ['rule', 'hot'],
      ['sensor', sensor],
    ],
    fields: [
      ['f', 1.5],
      ['i', -9_223_372_036_854_775_808n],
      ['u', new Uint64(18_446_744_073_709_551_615n)],
      ['b', false],
      ['s', 'text "x" \\'],
    ],
    timeNs: baseNs,
  };
}
