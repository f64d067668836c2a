import { NS_PER_SECOND, type WindowFunction, type WindowTag, windowFunctions } from '@tidemark/core';
import { describe, expect, test } from 'vitest';
import type { WindowsQuery } from '../../src/engine.ts';
import { expectWindows, referenceWindows } from './reference.ts';
import { baseNs, readingAt, type Subject } from './subject.ts';

const functions: WindowFunction[] = [...windowFunctions, 'p1', 'p5', 'p50', 'p90', 'p99', 'p99.9', 'p12.5'];

// A number generator of the test's own, so that a failure can be repeated.
const random = (seed: number) => () => {
  seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
  return seed / 2 ** 31;
};

const next = random(7);
const readings = Array.from({ length: 600 }, (_, index) => {
  const sensor = `s${index % 4}`;
  const location = [undefined, 'north', 'south', 'north'][index % 4];
  // Every fourth of the sensors reports at the same instants as another.
  const seconds = Math.floor(index / 2) * 31 + (index % 4 === 3 ? 0 : next() * 3);
  const temperature = Math.round(next() * 40) / 2;
  const humidity = 40 + next() * 20;
  return readingAt(
    seconds,
    sensor,
    index % 3 === 0 ? { temperature } : { temperature, humidity, on: next() > 0.5, state: 'text' },
    location,
  );
});

const query: WindowsQuery = {
  fromNs: baseNs,
  toNs: baseNs + 9300n * NS_PER_SECOND,
  everyNs: 600n * NS_PER_SECOND,
  timeZone: undefined,
  functions,
  by: [],
  fill: 'none',
};

/** Windows equal those computed independently, function by function. */
export function windowsContract(subject: Subject): void {
  describe('windows', () => {
    const tags: WindowTag[][] = [
      [],
      ['sensor'],
      ['location'],
      ['sensor', 'location'],
      ['location', 'sensor'],
    ];
    test.each(tags.map((by) => [by.join(' and ') || 'nothing', by] as const))('by %s', async (_name, by) => {
      await subject.write(...readings);
      expectWindows(await subject.windows({ ...query, by }), referenceWindows(readings, { ...query, by }));
    });

    const cases: [string, Partial<WindowsQuery>][] = [
      ['of one metric', { metrics: ['humidity'] }],
      ['of several metrics and an unknown one', { metrics: ['on', 'temperature', 'nothing'] }],
      ['of no known metric', { metrics: ['nothing'] }],
      ['of text', { metrics: ['state'] }],
      ['of some sensors', { sensors: ['s1', 's3', 'nobody'], by: ['sensor'] }],
      ['of a location', { locations: ['north'], by: ['sensor'] }],
      ['of nobody', { sensors: ['nobody'] }],
      ['of nowhere', { locations: ['nowhere'] }],
      ['of a sensor elsewhere', { sensors: ['s1'], locations: ['south'] }],
      ['with partial ends', { fromNs: baseNs + 123_456_789_012n, toNs: baseNs + 4_321_987_654_321n }],
      ['ending at a point', { toNs: readings[4]!.timeNs }],
      ['beginning at a point', { fromNs: readings[4]!.timeNs, toNs: readings[4]!.timeNs + 1n }],
      ['of an empty range', { toNs: baseNs }],
      ['of a range that ends before it begins', { toNs: baseNs - 1n }],
      ['of a range without points', { fromNs: baseNs - 9_000_000_000_000n, toNs: baseNs }],
      ['shorter than the distance of points', { everyNs: 7n * NS_PER_SECOND, by: ['sensor'] }],
      ['of the whole range', { everyNs: undefined, by: ['sensor'] }],
      ['of the whole range of several metrics', { everyNs: undefined, metrics: ['temperature', 'humidity'] }],
      ['of the whole of an empty range', { everyNs: undefined, toNs: baseNs }],
      ['of the whole of a range without points', { everyNs: undefined, fromNs: 0n, toNs: baseNs }],
      [
        'of the whole of all time',
        { everyNs: undefined, fromNs: -(2n ** 63n) + 2n, toNs: 2n ** 63n - 2n, by: ['location'] },
      ],
      [
        'of an odd length',
        { everyNs: 1_234_567_891_011n, fromNs: baseNs - 1_000_000_000_000_000n, by: ['location'] },
      ],
      [
        'of all time',
        { everyNs: 36_525n * 86_400n * NS_PER_SECOND, fromNs: -(2n ** 63n), toNs: 2n ** 63n - 1n },
      ],
      [
        'longer than the data',
        { everyNs: 365n * 86_400n * NS_PER_SECOND, fromNs: 0n, toNs: 2n * baseNs, by: ['sensor'] },
      ],
    ];
    test.each(cases)('%s', async (_name, part) => {
      await subject.write(...readings);
      const asked = { ...query, ...part };
      expectWindows(await subject.windows(asked), referenceWindows(readings, asked));
    });

    test.each(functions)('%s alone', async (fn) => {
      await subject.write(...readings);
      const asked = { ...query, functions: [fn], by: ['sensor'] as const };
      expectWindows(await subject.windows(asked), referenceWindows(readings, asked));
    });

    test('of points from 1970 on', async () => {
      const old = [0n, 1n, 3_599_999_999_999n, 3_600_000_000_000n].map((timeNs, index) => ({
        ...readingAt(0, 's', { x: index }),
        timeNs,
      }));
      await subject.write(...old);
      const asked = { ...query, fromNs: 0n, toNs: 7200n * NS_PER_SECOND, everyNs: 3600n * NS_PER_SECOND };
      expectWindows(await subject.windows(asked), referenceWindows(old, asked));
    });

    test('one point gives no stddev, rate and low percentile', async () => {
      await subject.write(readingAt(1, 's', { x: 5 }));
      const [window] = await subject.windows({
        functions: ['stddev', 'rate', 'p5', 'p50', 'spread', 'last'],
      });
      expect(window?.values).toEqual(
        new Map<WindowFunction, number | null>([
          ['stddev', null],
          ['rate', null],
          ['p5', null],
          ['p50', 5],
          ['spread', 0],
          ['last', 5],
        ]),
      );
    });

    test('count each value once, as it was last written', async () => {
      await subject.write(
        ...readings.map((reading) => ({ ...reading, values: [['temperature', -1]] as const })),
      );
      await subject.write(...readings);
      await subject.write(...readings.slice(100, 300));
      expectWindows(await subject.windows(query), referenceWindows(readings, query));
    });

    test('too many are refused before any work', async () => {
      await subject.write(readingAt(0, 's', { x: 1 }), readingAt(1, 't', { x: 1 }));
      const refused = { code: 'bad_request', retryable: false };
      const year = { toNs: baseNs + 31_536_000n * NS_PER_SECOND };
      await expect(subject.windows({ ...year, everyNs: NS_PER_SECOND })).rejects.toMatchObject(refused);
      await expect(subject.windows({ everyNs: 1n })).rejects.toMatchObject(refused);
      await expect(
        subject.windows({
          toNs: baseNs + 600_000n,
          everyNs: 1n,
          fill: 'null',
          by: ['sensor'],
          fromNs: baseNs,
        }),
      ).resolves.toHaveLength(600_000);
      const two = { toNs: baseNs + 600_000_000_000n, everyNs: NS_PER_SECOND / 1000n };
      await expect(subject.windows({ ...two, fill: 'null', by: ['sensor'] })).rejects.toMatchObject(refused);
    });
  });
}
