import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMetrics, type Point, silentLogger, systemClock, type Tag } from '@tidemark/core';
import { expect, it, onTestFinished } from 'vitest';
import { EmbeddedEngine } from './engine.ts';

const strangeNames = ['{}', '%s {0}', 'a"b', 'back\\slash\\', "it's", 'naïve 温度', ',[1]', 'null'];

/** More tag sets than are read in one go, and fields of one tag set that were added together and apart. */
function pointsOf(round: number): Point[] {
  const sensors = [...Array.from({ length: 4500 }, (_, n) => `s${n}`), ...strangeNames];
  const timeNs = 1_000n + BigInt(round);
  return sensors.flatMap((sensor, n): Point[] => {
    const tags: Tag[] = [
      ['location', strangeNames[n % strangeNames.length]!],
      ['sensor', sensor],
    ];
    const fields: Point['fields'] = [
      ['t', n + round],
      ['t_text', `${sensor} ${round}`],
    ];
    // The same tags in another measurement are another tag set.
    return [
      { measurement: 'readings', tags, fields, timeNs },
      ...(n % 10 === 0 ? [{ measurement: 'else where', tags, fields, timeNs }] : []),
      ...(round === 2 ? [{ measurement: 'readings', tags, fields: [['late', n]] as const, timeNs }] : []),
    ];
  });
}

it('every series is there again after a restart, with its newest point', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-load-'));
  const engine = new EmbeddedEngine({
    path: join(folder, 'store'),
    memoryBytes: 2 ** 28,
    clock: systemClock,
    logger: silentLogger,
    metrics: createMetrics(),
  });
  onTestFinished(async () => {
    await engine.stop();
    await rm(folder, { recursive: true });
  });
  await engine.start();
  for (const round of [1, 2]) await engine.write(pointsOf(round));
  const before = {
    latest: await engine.latest({}),
    fields: await engine.fields(),
    series: (await engine.status()).series,
  };
  expect(before.latest).toHaveLength(3 * 4508);
  await engine.stop();
  await engine.start();
  expect(await engine.latest({})).toEqual(before.latest);
  expect((await engine.fields()).sort(byName)).toEqual(before.fields.sort(byName));
  expect((await engine.status()).series).toBe(before.series);
  // Known as what they were: written again they add no series.
  await engine.write(pointsOf(2));
  expect((await engine.status()).series).toBe(before.series);
});

function byName(a: { measurement: string; field: string }, b: typeof a): number {
  return `${a.measurement} ${a.field}` < `${b.measurement} ${b.field}` ? -1 : 1;
}
