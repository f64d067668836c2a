import type { Reading } from '@tidemark/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compareText } from '../../src/order.ts';
import { expectWindows, referenceWindows } from './reference.ts';
import { baseNs, readingAt, type Subject, shown } from './subject.ts';

const reading = fc
  .record({
    second: fc.integer({ min: 0, max: 40 }),
    sensor: fc.constantFrom('a', 'b', 'c'),
    values: fc.dictionary(fc.constantFrom('x', 'y', 'z'), fc.integer({ min: -5, max: 5 }), { minKeys: 1 }),
  })
  .map(({ second, sensor, values }) =>
    readingAt(second, sensor, values, sensor === 'a' ? 'north' : undefined),
  );
const batches = fc.array(fc.array(reading, { maxLength: 30 }), { minLength: 1, maxLength: 6 });

/** Random batches, with duplicates and late points, read as a plain map of them would. */
export function modelContract(subject: Subject): void {
  describe('random batches', () => {
    test('read like a map of what was last written', async () => {
      let base = 0;
      await fc.assert(
        fc.asyncProperty(batches, async (written) => {
          // Each run has a day of its own, since all of them share the store.
          base += 86_400;
          const shifted = written.map((batch) =>
            batch.map((item) => ({ ...item, timeNs: item.timeNs + BigInt(base) * 1_000_000_000n })),
          );
          for (const batch of shifted) await subject.write(...batch);
          await compare(subject, shifted.flat(), baseNs + BigInt(base) * 1_000_000_000n);
        }),
        { numRuns: 15 },
      );
    });
  });
}

async function compare(subject: Subject, written: readonly Reading[], fromNs: bigint): Promise<void> {
  const expected = lastWritten(written);
  const range = { fromNs, toNs: fromNs + 41_000_000_000n };
  expect(shown(await subject.readings(range))).toEqual(shown(expected));
  expect(shown((await subject.engine.readingsAt(expected)).map((reading) => reading!))).toEqual(
    shown(expected),
  );
  const query = { ...range, everyNs: 7_000_000_000n, timeZone: undefined, fill: 'none' as const };
  const asked = {
    ...query,
    functions: ['count', 'sum', 'first', 'last', 'rate', 'p50'] as const,
    by: ['sensor'] as const,
  };
  expectWindows(await subject.windows(asked), referenceWindows(expected, asked));
}

function lastWritten(written: readonly Reading[]): Reading[] {
  const model = new Map<string, Reading & { values: [string, number][] }>();
  for (const { values, ...rest } of written) {
    const key = `${rest.timeNs} ${rest.sensor}`;
    const merged = new Map([...(model.get(key)?.values ?? []), ...(values as [string, number][])]);
    model.set(key, { ...rest, values: [...merged] });
  }
  return [...model.values()].sort((a, b) =>
    a.timeNs === b.timeNs ? compareText(a.sensor, b.sensor) : a.timeNs < b.timeNs ? -1 : 1,
  );
}
