import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import {
  createMetrics,
  NS_PER_DAY,
  NS_PER_SECOND,
  READINGS,
  type Reading,
  readingToPoint,
  silentLogger,
  systemClock,
} from '@tidemark/core';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { expectWindows, referenceWindows } from '../../testing/contract/reference.ts';
import { EmbeddedEngine } from './engine.ts';
import { quote } from './schema.ts';
import { compareSums, inFile } from './stored-sums.ts';

// Small enough that a few batches seal, move, merge, split and rewrite; one row is enough for sums.
const limits = { hotRows: 25, lateRows: 10, partitionRows: 30, rewriteRows: 1000, runs: 3, rowsPerSum: 0 };
const startNs = 19_675n * NS_PER_DAY;
const functions = ['count', 'sum', 'min', 'max', 'mean', 'spread', 'first', 'last', 'rate'] as const;

let path: string;
let engine: EmbeddedEngine;

const open = async () => {
  const parts = { clock: systemClock, metrics: createMetrics(), logger: silentLogger };
  engine = new EmbeddedEngine({ path, memoryBytes: 256 * 2 ** 20, ...parts, limits });
  await engine.start();
};

beforeEach(async () => {
  path = join(mkdtempSync(join(tmpdir(), 'tidemark-sums-')), 'store');
  await open();
});

afterEach(async () => {
  await engine.stop();
  rmSync(dirname(path), { recursive: true });
});

test('sums answer as the points do, whatever was written, removed and renamed when', {
  timeout: 120_000,
}, async () => {
  let compared = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(command, { minLength: 3, maxLength: 14 }), async (commands) => {
      await engine.stop();
      rmSync(dirname(path), { recursive: true });
      await open();
      let expected: Reading[] = [];
      for (const item of commands) {
        expected = await item.run(expected);
        for (const query of queries)
          expectWindows([...(await engine.windows(query))], referenceWindows(expected, query));
      }
      await engine.stop();
      compared += await compareSums(path);
      await open();
    }),
    { numRuns: 15, interruptAfterTimeLimit: 60_000 },
  );
  // Else nothing had been summed up.
  expect(compared).toBeGreaterThan(0);
});

test('a partition that a late row corrects, and one of a file without sums, are summed up later', async () => {
  const written = Array.from({ length: 100 }, (_, index) =>
    reading('a', startNs + BigInt(index) * NS_PER_SECOND, index),
  );
  await engine.write(written.map(readingToPoint));
  await engine.compact();
  await engine.stop();
  expect(await compareSums(path)).toBe(1);
  await open();
  await engine.write(written.slice(0, 3).map(readingToPoint));
  await engine.compact();
  await engine.stop();
  expect(await compareSums(path)).toBe(1);
  await forgetSums();
  await open();
  // What the start begins is over before a compaction of all.
  await engine.compact();
  await engine.stop();
  expect(await compareSums(path)).toBe(1);
  await open();
});

const range = { fromNs: -(2n ** 63n), toNs: 2n ** 63n - 1n };
const shape = { functions, by: [], fill: 'none', timeZone: undefined, everyNs: undefined } as const;
const queries = [
  { ...shape, ...range },
  { ...shape, ...range, sensors: ['a', 'c'], by: ['sensor', 'location'] as const },
  { ...shape, fromNs: startNs + 5n * NS_PER_SECOND, toNs: startNs + 2n * NS_PER_DAY + 7n * NS_PER_SECOND },
  { ...shape, fromNs: startNs, toNs: startNs + 4n * NS_PER_DAY, everyNs: 86_400n * NS_PER_SECOND },
  { ...shape, fromNs: startNs, toNs: startNs + 4n * NS_PER_DAY, everyNs: 11n * NS_PER_SECOND },
  {
    ...shape,
    fromNs: startNs + 5n * NS_PER_SECOND,
    toNs: startNs + 2n * NS_PER_DAY + 7n * NS_PER_SECOND,
    everyNs: NS_PER_DAY,
  },
];

const someReadings = fc.array(
  fc
    .record({
      sensor: fc.constantFrom('a', 'b', 'c'),
      day: fc.constantFrom(0, 0, 1, 2, 3, 40),
      second: fc.integer({ min: 0, max: 15 }),
      // Whole numbers, whose sums hang on no order.
      value: fc.integer({ min: -999, max: 999 }),
    })
    .map(({ sensor, day, second, value }) =>
      reading(sensor, startNs + BigInt(day) * NS_PER_DAY + BigInt(second) * NS_PER_SECOND, value),
    ),
  { maxLength: 40 },
);

interface Command {
  /** Does it, and answers what is there then. */
  run(expected: Reading[]): Promise<Reading[]>;
}

const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 6, arbitrary: someReadings.map(write) },
  {
    weight: 3,
    arbitrary: fc.constant({ run: (expected: Reading[]) => engine.compact().then(() => expected) }),
  },
  { weight: 1, arbitrary: fc.constant({ run: (expected: Reading[]) => reopen().then(() => expected) }) },
  { weight: 1, arbitrary: fc.constantFrom(0, 1, 2, 3, 50).map(purge) },
  { weight: 1, arbitrary: fc.constantFrom('a', 'b').map(remove) },
  { weight: 1, arbitrary: fc.constant({ run: rename }) },
);

function reading(sensor: string, timeNs: bigint, value: number): Reading {
  return { sensor, location: sensor === 'a' ? 'north' : undefined, timeNs, values: [['m', value]] };
}

function write(readings: Reading[]): Command {
  return {
    run: async (expected) => {
      expect(await engine.write(readings.map(readingToPoint))).toEqual([]);
      const byIdentity = [...expected, ...readings].map(
        (item) => [`${item.sensor} ${item.timeNs}`, item] as const,
      );
      return [...new Map(byIdentity).values()];
    },
  };
}

function purge(day: number): Command {
  const beforeNs = startNs + BigInt(day) * NS_PER_DAY + 8n * NS_PER_SECOND;
  return {
    run: async (expected) => {
      await engine.purge([{ measurement: READINGS, beforeNs }]);
      return expected.filter(({ timeNs }) => timeNs >= beforeNs);
    },
  };
}

function remove(sensor: string): Command {
  return {
    run: async (expected) => {
      await engine.deleteSensor(sensor);
      return expected.filter((item) => item.sensor !== sensor);
    },
  };
}

async function rename(expected: Reading[]): Promise<Reading[]> {
  await engine.deleteSensor('c');
  await engine.renameSensor('b', 'c');
  return expected
    .filter(({ sensor }) => sensor !== 'c')
    .map((item) => ({ ...item, sensor: item.sensor === 'b' ? 'c' : item.sensor }));
}

async function reopen(): Promise<void> {
  await engine.stop();
  await open();
}

/** Makes the file one of the layout before sums. */
function forgetSums(): Promise<void> {
  return inFile(path, async (query) => {
    for (const [name] of await query(`SELECT name FROM tables WHERE kind = 'sums'`))
      await query(`DROP TABLE ${quote(name as string)}`);
    await query(`DELETE FROM tables WHERE kind = 'sums'`);
    await query('UPDATE layout SET version = 3');
  });
}
