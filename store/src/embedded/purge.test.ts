import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createMetrics, NS_PER_DAY, type Point, READINGS, silentLogger, systemClock } from '@tidemark/core';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { CompactionLimits } from './compaction.ts';
import { EmbeddedEngine } from './engine.ts';

const limits: CompactionLimits = {
  hotRows: 1000,
  lateRows: 500,
  partitionRows: 2000,
  rewriteRows: 100_000,
  runs: 4,
  rowsPerSum: 1,
};
const startNs = 20_000n * NS_PER_DAY;

let path: string;
let engine: EmbeddedEngine;

beforeEach(async () => {
  path = join(mkdtempSync(join(tmpdir(), 'tidemark-purge-')), 'store');
  engine = new EmbeddedEngine({
    path,
    memoryBytes: 256 * 2 ** 20,
    maxSeries: 50,
    clock: systemClock,
    metrics: createMetrics(),
    logger: silentLogger,
    limits,
  });
  await engine.start();
});

afterEach(async () => {
  await engine.stop();
  rmSync(dirname(path), { recursive: true });
});

function points(days: number, perDay: number, text = ''): Point[] {
  return Array.from({ length: days * perDay }, (_, index) => ({
    measurement: index % 2 === 0 ? READINGS : 'power',
    tags: [['sensor', `s${index % 10}`]] as const,
    fields: text === '' ? ([['x', index]] as const) : ([['x_text', `${text}${index * 7919}`]] as const),
    timeNs: startNs + (BigInt(index) * NS_PER_DAY) / BigInt(perDay),
  }));
}

const count = async () => {
  const [window] = await engine.windows({
    fromNs: 0n,
    toNs: 30_000n * NS_PER_DAY,
    everyNs: 36_500n * NS_PER_DAY,
    timeZone: undefined,
    functions: ['count', 'sum'],
    by: [],
    fill: 'none',
  });
  return window?.values.get('count') ?? 0;
};

test('purges while writes, queries and compaction go on, and loses nothing else', async () => {
  const all = points(20, 1000);
  await engine.write(all);
  await engine.compact();
  let asked = 0;
  let isPurging = true;
  const beforeNs = startNs + 10n * NS_PER_DAY;
  const purging = engine
    .purge([
      { measurement: READINGS, beforeNs },
      { measurement: 'power', beforeNs: beforeNs + NS_PER_DAY / 2n },
    ])
    .finally(() => {
      isPurging = false;
    });
  const fresh = points(1, 1000).map((point) => ({ ...point, timeNs: point.timeNs + 100n * NS_PER_DAY }));
  for (let start = 0; start < fresh.length; start += 100) await engine.write(fresh.slice(start, start + 100));
  while (isPurging || asked === 0) {
    expect(await count()).toBeGreaterThanOrEqual(5500);
    asked += 1;
  }
  expect(await purging).toEqual({ points: 5000 + 5250 });
  expect(await count()).toBe(5500);
  await engine.compact();
  expect(await count()).toBe(5500);
  expect((await engine.storage()).oldestNs.get('power')).toBe(
    beforeNs + NS_PER_DAY / 2n + NS_PER_DAY / 1000n,
  );
});

test('makes room for other series where one has nothing left', async () => {
  const of = (name: string, timeNs: bigint) =>
    Array.from({ length: 30 }, (_, index) => ({
      measurement: READINGS,
      tags: [['sensor', `${name}${index}`]] as const,
      fields: [['x', 1]] as const,
      timeNs,
    }));
  await engine.write(of('old', startNs));
  expect(await engine.write(of('new', startNs + NS_PER_DAY))).toHaveLength(10);
  await engine.purge([{ measurement: READINGS, beforeNs: startNs + 1n }]);
  expect((await engine.status()).series).toBe(20);
  expect(await engine.write(of('new', startNs + NS_PER_DAY))).toEqual([]);
});

test('finds the time that the oldest bytes are before, and frees them', { timeout: 60_000 }, async () => {
  await engine.write(points(40, 500, 'some text that hardly packs '.repeat(20)));
  await engine.compact();
  const { usedBytes: before = 0 } = await engine.storage();
  const beforeNs = await engine.timeOfOldest(before / 2);
  const days = Number((beforeNs! - startNs) / NS_PER_DAY);
  expect(days).toBeGreaterThanOrEqual(19);
  expect(days).toBeLessThanOrEqual(21);
  await engine.purge([READINGS, 'power'].map((measurement) => ({ measurement, beforeNs: beforeNs! })));
  const { usedBytes: after = 0, oldestNs } = await engine.storage();
  expect(oldestNs.get(READINGS)).toBeGreaterThanOrEqual(beforeNs!);
  expect(after).toBeLessThan(before * 0.75);
});
