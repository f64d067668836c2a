import fc from 'fast-check';
import { expect, it } from 'vitest';
import { TimeColumn } from './time-column.ts';

const times = fc.array(fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }), { maxLength: 300 });

it('gives every time back, whole and in parts', () => {
  fc.assert(
    fc.property(times, (timesNs) => {
      const column = new TimeColumn();
      for (const timeNs of timesNs) column.push(timeNs);
      timesNs.forEach((timeNs, index) => {
        expect(column.at(index)).toBe(timeNs);
        expect(column.msAt(index)).toBe(Number(timeNs) / 1e6);
        expect((BigInt(column.highAt(index)) << 32n) | BigInt(column.lowAt(index))).toBe(timeNs);
      });
    }),
  );
});
