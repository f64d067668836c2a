import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compareText, compareWindows } from './order.ts';

test('compareText orders as UTF-8 bytes do', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', 'é', '\ud7ff', '\ue000', '\uff21', '🚲', '😀') });
  fc.assert(
    fc.property(text, text, (a, b) => {
      expect(Math.sign(compareText(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
    }),
  );
});

test('compareWindows goes by metric, tags in the order given, no location first, then time', () => {
  const window = (metric: string, sensor: string, location: string | null, timeNs: bigint) => ({
    metric,
    sensor,
    location,
    timeNs,
    values: new Map(),
  });
  const ordered = [
    window('x', 'b', null, 1n),
    window('x', 'b', null, 2n),
    window('x', 'b', 'north', 0n),
    window('x', 'a', 'south', 0n),
    window('y', 'a', null, 0n),
  ];
  expect([...ordered].reverse().sort(compareWindows(['location', 'sensor']))).toEqual(ordered);
  expect([...ordered].sort(compareWindows(['sensor', 'location']))[0]).toBe(ordered[3]);
});
