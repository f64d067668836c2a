import fc from 'fast-check';
import { expect, it } from 'vitest';
import { maxSamples, Series } from './series.ts';

const samples = fc.array(fc.tuple(fc.integer({ min: 0, max: 300 }), fc.integer({ min: -50, max: 50 })), {
  minLength: 1,
  maxLength: 60,
});

/** Adds what the window takes; the last value of each time stands. */
function filled(series: Series, given: readonly (readonly [number, number])[]): Series {
  for (const [timeMs, value] of given) {
    try {
      series.add(timeMs, value);
    } catch {
      // Older than the window.
    }
  }
  return series;
}

it('a window by time holds what lies within it, in whatever order that came', () => {
  fc.assert(
    fc.property(samples, fc.integer({ min: 1, max: 100 }), (given, lengthMs) => {
      const newestMs = Math.max(...given.map(([timeMs]) => timeMs));
      // A value that came while it was within, and was too old later, is not in it either.
      const last = new Map(given.filter(([timeMs]) => timeMs > newestMs - lengthMs));
      const inOrder = [...last].sort(([a], [b]) => a - b);
      const values = inOrder.map(([, value]) => value);
      const aggregate = filled(new Series({ lengthMs }), given).aggregate();
      expect(aggregate).toEqual({
        count: values.length,
        sum: values.reduce((sum, value) => sum + value, 0),
        mean: values.reduce((sum, value) => sum + value, 0) / values.length,
        min: Math.min(...values),
        max: Math.max(...values),
        last: values.at(-1),
        fromMs: inOrder[0]![0],
        toMs: newestMs,
      });
    }),
  );
});

it('a window by number holds the newest by time', () => {
  fc.assert(
    fc.property(samples, fc.integer({ min: 1, max: 20 }), (given, size) => {
      // Distinct times: whether a value replaces another depends on whether that is still held.
      const distinct = [...new Map(given)];
      const values = distinct
        .toSorted(([a], [b]) => a - b)
        .slice(-size)
        .map(([, value]) => value);
      const { count, sum, last } = filled(new Series({ size }), distinct).aggregate();
      expect([count, sum, last]).toEqual([values.length, values.reduce((a, b) => a + b, 0), values.at(-1)]);
    }),
  );
});

it('says when a value is too old, and when there are too many', () => {
  const series = new Series({ lengthMs: maxSamples + 1 });
  for (let timeMs = 0; timeMs < maxSamples; timeMs++) series.add(timeMs, 1);
  expect(() => series.add(maxSamples, 1)).toThrow(/more than 10000 values in one window/);
  expect(series.aggregate().count).toBe(maxSamples);
  series.add(3 * maxSamples, 7);
  expect(series.aggregate()).toMatchObject({ count: 1, last: 7 });
  expect(() => series.add(maxSamples, 1)).toThrow('the value is older than the window');
});
