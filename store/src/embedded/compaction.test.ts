import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import {
  createMetrics,
  type MetricValue,
  NS_PER_DAY,
  NS_PER_SECOND,
  READINGS,
  type Reading,
  readingToPoint,
  silentLogger,
  systemClock,
} from '@tidemark/core';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { expectWindows, referenceWindows } from '../../testing/contract/reference.ts';
import { compareText } from '../order.ts';
import type { CompactionLimits } from './compaction.ts';
import { EmbeddedEngine } from './engine.ts';

// Small enough that a few batches seal, move, merge, split and rewrite.
const limits: CompactionLimits = {
  hotRows: 25,
  lateRows: 10,
  partitionRows: 30,
  rewriteRows: 1000,
  runs: 3,
  rowsPerSum: 1,
};
const everything = { fromNs: -(2n ** 63n), toNs: 2n ** 63n - 1n, limit: 1_000_000, order: 'asc' } as const;
const startNs = 1_700_000_000n * NS_PER_SECOND;

let path: string;
let engine: EmbeddedEngine;

const open = async (chosen: CompactionLimits) => {
  const memoryBytes = 256 * 2 ** 20;
  engine = new EmbeddedEngine({
    path,
    memoryBytes,
    clock: systemClock,
    metrics: createMetrics(),
    logger: silentLogger,
    limits: chosen,
  });
  await engine.start();
};

const write = async (...readings: Reading[]) => {
  expect(await engine.write(readings.map(readingToPoint))).toEqual([]);
};

beforeEach(async () => {
  path = join(mkdtempSync(join(tmpdir(), 'tidemark-embedded-')), 'store');
  await open(limits);
});

afterEach(async () => {
  await engine.stop();
  rmSync(dirname(path), { recursive: true });
});

describe('compaction', () => {
  test('changes no answer, whatever was written when', { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(command, { minLength: 2, maxLength: 14 }), async (commands) => {
        await engine.stop();
        rmSync(dirname(path), { recursive: true });
        await open(limits);
        const model = new Model();
        for (const item of commands) {
          if (item.kind === 'compact') await engine.compact();
          else if (item.kind === 'purge') {
            await engine.purge([{ measurement: READINGS, beforeNs: item.beforeNs }]);
            model.purge(item.beforeNs);
          } else if (item.kind === 'reopen') {
            await engine.stop();
            await open(limits);
          } else {
            await write(...item.readings);
            model.write(item.readings);
          }
          await model.compare(engine);
        }
      }),
      { numRuns: 20, interruptAfterTimeLimit: 60_000 },
    );
  });

  test('shows each point exactly once while it runs', async () => {
    await engine.stop();
    await open({ ...limits, hotRows: 1e9, lateRows: 1e9, partitionRows: 4000 });
    const days = 8;
    const written = Array.from({ length: 1000 }, (_, index) =>
      Array.from({ length: days }, (_, day) =>
        reading(`s${index % 10}`, startNs + BigInt(day) * NS_PER_DAY + BigInt(index), { m: 1 }),
      ),
    ).flat();
    const query = {
      ...everything,
      timeZone: undefined,
      everyNs: 36_500n * NS_PER_DAY,
      by: [],
      fill: 'none',
    } as const;
    const ask = async () => {
      const [window] = await engine.windows({ ...query, functions: ['count', 'sum'] });
      const items = await engine.readings(everything);
      return { ...Object.fromEntries(window!.values), readings: items.length };
    };
    const correct = { count: written.length, sum: written.length, readings: written.length };
    await write(...written);
    for (let round = 0; round < 4; round++) {
      // The same points once more: all of them late.
      await write(...written);
      let isDone = false;
      const compacted = engine.compact().finally(() => {
        isDone = true;
      });
      let asked = 0;
      for (; !isDone || asked === 0; asked++) {
        const answers = await Promise.all([ask(), ask(), ask()]);
        for (const answer of answers) expect(answer).toEqual(correct);
      }
      await compacted;
    }
  });

  test('that a stop interrupts loses and doubles nothing', async () => {
    const written = Array.from({ length: 20_000 }, (_, index) =>
      reading(`s${index % 10}`, startNs + BigInt(index) * 60n * NS_PER_SECOND, { m: index }),
    );
    for (let round = 0; round < 3; round++) {
      await write(...written);
      const compacted = engine.compact().catch(() => undefined);
      await engine.stop();
      await compacted;
      await open(limits);
      expect(await engine.readings(everything)).toHaveLength(written.length);
    }
    await engine.compact();
    expect(await engine.readings(everything)).toHaveLength(written.length);
  });

  test('splits a partition until its parts are small or a day', async () => {
    for (let day = 0; day < 6; day++) {
      const times = Array.from(
        { length: 20 },
        (_, index) => startNs + BigInt(day) * NS_PER_DAY + BigInt(index),
      );
      await write(...times.map((timeNs) => reading('s', timeNs, { m: day })));
    }
    await engine.compact();
    expect(await engine.readings(everything)).toHaveLength(120);
    const [day] = await engine.readings({ ...everything, order: 'desc', limit: 1 });
    expect(day?.values).toEqual([['m', 5]]);
  });
});

const sensors = ['a', 'b', 'c'];
const someReading = fc
  .record({
    sensor: fc.constantFrom(...sensors),
    day: fc.constantFrom(0, 1, 2, 3, 40, 600, -20_000),
    second: fc.integer({ min: 0, max: 12 }),
    x: fc.option(fc.integer({ min: -9, max: 9 }), { nil: undefined }),
    y: fc.option(fc.double({ noNaN: true, min: -1e6, max: 1e6 }), { nil: undefined }),
    text: fc.option(fc.string({ maxLength: 3 }), { nil: undefined }),
  })
  .filter(({ x, y, text }) => x !== undefined || y !== undefined || text !== undefined)
  .map(({ sensor, day, second, ...values }) => {
    const timeNs = startNs + BigInt(day) * NS_PER_DAY + BigInt(second) * NS_PER_SECOND;
    const given = Object.entries(values).filter((entry) => entry[1] !== undefined);
    return reading(sensor, timeNs, Object.fromEntries(given) as Record<string, MetricValue>);
  });

const command = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('write' as const),
      readings: fc.array(someReading, { maxLength: 25 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('compact' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reopen' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('purge' as const),
      beforeNs: fc.constantFrom(-1, 1, 2, 5, 100).map((day) => startNs + (BigInt(day) * NS_PER_DAY) / 2n),
    }),
  },
);

function reading(sensor: string, timeNs: bigint, values: Record<string, MetricValue>): Reading {
  return { sensor, location: sensor === 'a' ? 'north' : undefined, timeNs, values: Object.entries(values) };
}

/** What the store must answer: the last value written for each sensor, metric and time. */
class Model {
  readonly #readings = new Map<
    string,
    { sensor: string; timeNs: bigint; values: Map<string, MetricValue> }
  >();

  write(readings: readonly Reading[]): void {
    for (const { sensor, timeNs, values } of readings) {
      const key = `${timeNs} ${sensor}`;
      const known = this.#readings.get(key) ?? { sensor, timeNs, values: new Map() };
      for (const [metric, value] of values) known.values.set(metric, value);
      this.#readings.set(key, known);
    }
  }

  purge(beforeNs: bigint): void {
    for (const [key, { timeNs }] of this.#readings) if (timeNs < beforeNs) this.#readings.delete(key);
  }

  async compare(store: EmbeddedEngine): Promise<void> {
    const expected = this.#sorted();
    expect(shown(await store.readings(everything))).toEqual(shown(expected));
    for (const limit of [1, 7]) {
      const oldest = await store.readings({ ...everything, limit });
      expect(shown(oldest)).toEqual(shown(expected.slice(0, limit)));
      const newest = await store.readings({ ...everything, order: 'desc', limit });
      expect(shown(newest)).toEqual(shown(expected.toReversed().slice(0, limit)));
    }
    const byKey = await store.readingsAt(expected);
    expect(byKey.flatMap((reading) => (reading === undefined ? [] : shown([reading])))).toEqual(
      shown(expected),
    );
    const query = {
      ...everything,
      fromNs: startNs - NS_PER_DAY,
      toNs: startNs + 3n * NS_PER_DAY,
      everyNs: 3600n * NS_PER_SECOND,
      timeZone: undefined,
      functions: ['count', 'sum', 'min', 'max', 'first', 'last', 'p50'],
      by: ['sensor', 'location'],
      fill: 'none',
    } as const;
    expectWindows([...(await store.windows(query))], referenceWindows(expected, query));
    const latest = (await store.latest({})).map(({ sensor, metric, value, timeNs }) => [
      sensor,
      metric,
      value,
      timeNs,
    ]);
    expect(latest).toEqual(this.#latest(expected));
  }

  #sorted(): Reading[] {
    return [...this.#readings.values()]
      .map(({ sensor, timeNs, values }) => reading(sensor, timeNs, Object.fromEntries(values)))
      .sort((a, b) =>
        a.timeNs === b.timeNs ? compareText(a.sensor, b.sensor) : a.timeNs < b.timeNs ? -1 : 1,
      );
  }

  #latest(readings: readonly Reading[]): unknown[] {
    return sensors.flatMap((sensor) =>
      ['text', 'x', 'y'].flatMap((metric) => {
        const last = readings.findLast((item) => item.sensor === sensor && new Map(item.values).has(metric));
        return last === undefined ? [] : [[sensor, metric, new Map(last.values).get(metric), last.timeNs]];
      }),
    );
  }
}

function shown(readings: readonly Reading[]): unknown[] {
  return readings.map(({ sensor, location, timeNs, values }) => [sensor, location, timeNs, new Map(values)]);
}
