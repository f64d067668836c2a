import {
  type Fill,
  NS_PER_DAY,
  NS_PER_SECOND,
  parseTime,
  type WindowFunction,
  type WindowTag,
  windowFunctions,
} from '@tidemark/core';
import fc from 'fast-check';
import { describe, test } from 'vitest';
import type { WindowsQuery } from '../../src/engine.ts';
import { expectWindows, referenceWindows } from './reference.ts';
import { referenceFill } from './reference-fill.ts';
import { readingAt, type Subject } from './subject.ts';

const hourNs = 3600n * NS_PER_SECOND;
// Three days on either side of 27 and 28 October, when clocks go back in Europe, and of 3 November, in America.
const firstNs = parseTime('2024-10-24T00:00:00Z')!;
const lastNs = parseTime('2024-11-06T00:00:00Z')!;
const spanSeconds = Number((lastNs - firstNs) / NS_PER_SECOND);

/** Sparse readings of three sensors, one of which moves; some at one instant, with equal values. */
const readings = Array.from({ length: 420 }, (_, index) => {
  const step = Math.floor(index / 3);
  const sensor = 'abc'[index % 3]!;
  const seconds = Math.floor((step * spanSeconds) / 140) + (sensor === 'c' ? (step * 7919) % 5000 : 0);
  const location =
    sensor === 'b' ? 'south' : sensor === 'a' ? [undefined, 'north', 'south'][step % 3] : 'hall';
  const x = ((step * step + index) % 7) - 3;
  const y = ((index * 7919) % 1009) / 64;
  const reading = readingAt(0, sensor, step % 4 === 0 ? { x } : { x, y }, location);
  return { ...reading, timeNs: firstNs + BigInt(seconds) * NS_PER_SECOND + BigInt(step % 2) };
});

const timeNs = fc
  .tuple(fc.integer({ min: -90_000, max: spanSeconds + 90_000 }), fc.constantFrom(0n, 1n, 500_000_001n))
  .map(([seconds, ns]) => firstNs + BigInt(seconds) * NS_PER_SECOND + ns);
const percentile = fc.integer({ min: 10, max: 999 }).map((tenths): WindowFunction => `p${tenths / 10}`);
const functions = fc.uniqueArray(fc.oneof(fc.constantFrom(...windowFunctions), percentile), {
  minLength: 1,
  maxLength: 6,
});
const everyInUtc = fc.oneof(
  fc.constant(undefined),
  fc.constantFrom(3600n, 86_400n, 7n * 86_400n).map((seconds) => seconds * NS_PER_SECOND),
  fc.bigInt({ min: 1800n * NS_PER_SECOND, max: 30n * NS_PER_DAY }),
);
const grid = fc.oneof(
  everyInUtc.map((everyNs) => ({ everyNs, timeZone: undefined })),
  fc.record({
    everyNs: fc.constantFrom(hourNs, NS_PER_DAY),
    timeZone: fc.constantFrom('Europe/Berlin', 'America/Havana', 'America/New_York', 'Asia/Kathmandu'),
  }),
);
const some = (...names: string[]) => fc.option(fc.subarray(names), { nil: undefined });
const query: fc.Arbitrary<WindowsQuery> = fc
  .record({
    times: fc.tuple(timeNs, timeNs),
    grid,
    functions,
    by: fc.shuffledSubarray<WindowTag>(['sensor', 'location']),
    fill: fc.oneof(
      fc.constantFrom<Fill>('none', 'null', 'previous', 'linear'),
      fc.integer({ min: -9, max: 9 }).map((halves): Fill => halves / 2),
    ),
    sensors: some('a', 'b', 'c', 'nobody'),
    locations: some('north', 'south', 'hall', 'nowhere'),
    metrics: some('x', 'y', 'nothing'),
  })
  .map(({ times: [one, other], grid: { everyNs, timeZone }, ...rest }) => ({
    ...rest,
    everyNs,
    timeZone,
    fromNs: one < other ? one : other,
    toNs: one < other ? other : one,
  }));

/** Random questions of every kind, answered as plain JavaScript answers them over the readings. */
export function randomWindowsContract(subject: Subject): void {
  describe('random windows', () => {
    test('equal the reference', async () => {
      const isLate = (_: unknown, index: number) => index % 5 === 0;
      await subject.write(...readings.filter((reading, index) => !isLate(reading, index)));
      await subject.write(...readings.filter(isLate));
      await fc.assert(
        fc.asyncProperty(query, async (asked) => {
          const expected = referenceFill(referenceWindows(readings, asked), asked);
          expectWindows(await subject.windows(asked), expected);
        }),
        { numRuns: 200 },
      );
    });
  });
}
