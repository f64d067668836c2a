import { type MetricValue, type Point, Uint64 } from '@tidemark/core';
import { describe, expect, test } from 'vitest';
import { baseNs, type Subject, shown } from './subject.ts';

const doubles = [
  0,
  -0,
  5e-324,
  -5e-324,
  2.2250738585072014e-308,
  1.7976931348623157e308,
  -1.7976931348623157e308,
  0.1 + 0.2,
  1 / 3,
  2 ** 53 + 2,
  -(2 ** 63),
  1e20,
  1e21,
  123456789.12345679,
];

const texts = [
  'warm',
  '',
  ' ',
  'a,b=c d',
  'say "hi"',
  "it's",
  'C:\\temp\\',
  '\\',
  'two\nlines',
  'tab\t',
  'ümläut 温度 🌡️',
  'null',
  '1i',
];

const oddNames = [
  'plain',
  'with space',
  ' padded ',
  'a,b',
  'a=b',
  'a"b',
  "a'b",
  'a\\b',
  'trailing\\',
  'two\\\\',
  'before\\,comma',
  'before\\ space',
  'before\\=equals',
  'dot\\.',
  'quote\\"',
  '\\',
  '__proto__',
  'constructor',
  'toString',
  'wärme 温度 🌡️',
  '🚲',
  'hash!',
  '$1',
  "'; DROP MEASUREMENT readings; --",
  '"; DROP MEASUREMENT readings; --',
  'true',
  '1',
  '-',
  '_x',
  'sensor',
  'location',
  'select',
  'x_text',
  'A',
  'a',
];

const timesNs = [
  0n,
  1n,
  999_999_999n,
  1_000_000_000n,
  1_700_000_000_123_456_789n,
  1_700_000_000_123_456_790n,
  9_223_372_036_854_775_806n,
];

/** What is written is what is read: values, times and names, bit by bit. */
export function valuesContract(subject: Subject): void {
  describe('values', () => {
    test('doubles come back bit by bit', async () => {
      await subject.write(
        ...doubles.map((value, index) => reading(`s${index + 10}`, [['m', value]] as const)),
      );
      const values = (await subject.readings()).map(({ values: [first] }) => first?.[1]);
      expect(values.map((value) => (Object.is(value, -0) ? '-0' : value))).toEqual(
        doubles.map((value) => (Object.is(value, -0) ? '-0' : value)),
      );
    });

    test('booleans are 0 and 1', async () => {
      await subject.write(
        reading('s', [
          ['on', true],
          ['off', false],
        ]),
      );
      expect(shown(await subject.readings())).toEqual(
        shown([
          reading('s', [
            ['on', 1],
            ['off', 0],
          ]),
        ]),
      );
    });

    test('text comes back as it was, beside numbers', async () => {
      const written = texts.map((text, index) =>
        reading(`s${index + 10}`, [
          ['state', text],
          ['level', index],
        ]),
      );
      await subject.write(...written);
      expect(shown(await subject.readings())).toEqual(shown(written));
    });

    test('text and numbers of one metric do not disturb each other', async () => {
      const written = [reading('a', [['m', 'text']]), reading('b', [['m', 1]])];
      await subject.write(...written);
      expect(shown(await subject.readings())).toEqual(shown(written));
    });

    test('times are exact to the nanosecond', async () => {
      await subject.write(...timesNs.map((timeNs) => ({ ...reading('s', [['m', 1]]), timeNs })));
      expect((await subject.readings()).map(({ timeNs }) => timeNs)).toEqual(timesNs);
      for (const timeNs of timesNs) {
        const found = await subject.readings({ fromNs: timeNs, toNs: timeNs + 1n });
        expect(found.map((item) => item.timeNs)).toEqual([timeNs]);
      }
    });

    test.each(['sensor', 'location', 'metric'] as const)('any id is a %s', async (role) => {
      const written = oddNames.map((name, index) => named(role, name, baseNs + BigInt(index)));
      await subject.write(...written);
      expect(shown(await subject.readings())).toEqual(shown(written));
    });

    test.each(['sensor', 'location', 'metric'] as const)('any id is a filter for a %s', async (role) => {
      const written = oddNames.map((name, index) => named(role, name, baseNs + BigInt(index)));
      await subject.write(...written);
      for (const [index, name] of oddNames.entries()) {
        const filter = { [`${role}s`]: [name] };
        expect(shown(await subject.readings(filter)), name).toEqual(shown([written[index]!]));
        const [latest] = await subject.engine.latest(filter);
        expect(latest?.[role], name).toBe(name);
      }
    });

    test.each(['sensor', 'location', 'metric'] as const)('any id groups windows by %s', async (role) => {
      await subject.write(...oddNames.map((name, index) => named(role, name, baseNs + BigInt(index))));
      const windows = await subject.windows({ by: role === 'metric' ? [] : [role] });
      expect(new Set(windows.map((window) => window[role]))).toEqual(new Set(oddNames));
      for (const window of windows) expect(window.values.get('count')).toBe(1);
    });

    test('other measurements keep their types', async () => {
      const point: Point = {
        measurement: 'weather, "odd" = \\ name',
        tags: [
          ['host', 'a'],
          ['odd tag\\', 'x\\,y'],
        ],
        fields: [
          ['f', 1.5],
          ['i', -9_223_372_036_854_775_808n],
          ['u', new Uint64(18_446_744_073_709_551_615n)],
          ['b', true],
          ['s', 'text "x" \\'],
          ['odd field\\', 2],
        ],
        timeNs: baseNs,
      };
      expect(await subject.engine.write([point])).toEqual([]);
      const fields = await subject.engine.fields();
      const types = fields.map(({ measurement, field, type }) => [measurement, field, type].join('|'));
      const odd = 'weather, "odd" = \\ name';
      expect(types.sort()).toEqual(
        [
          `${odd}|b|boolean`,
          `${odd}|f|float`,
          `${odd}|i|integer`,
          `${odd}|odd field\\|float`,
          `${odd}|s|string`,
          `${odd}|u|unsigned`,
        ].sort(),
      );
      expect(await subject.readings()).toEqual([]);
    });
  });
}

function reading(sensor: string, values: readonly (readonly [string, MetricValue])[]) {
  return { sensor, location: undefined, timeNs: baseNs, values };
}

function named(role: 'sensor' | 'location' | 'metric', name: string, timeNs: bigint) {
  return {
    sensor: role === 'sensor' ? name : 's',
    location: role === 'location' ? name : undefined,
    timeNs,
    values: [[role === 'metric' ? name : 'm', 1]] as const,
  };
}
