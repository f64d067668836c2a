import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMetrics, type Logger, type Point, silentLogger, systemClock } from '@tidemark/core';
import { expect, it, onTestFinished } from 'vitest';
import { EmbeddedEngine } from './engine.ts';

async function start(maxSeries: number) {
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-max-series-'));
  const path = join(folder, 'store');
  const warnings: string[] = [];
  const logger = {
    ...silentLogger,
    info: () => {},
    warn: (_: object, text: string) => warnings.push(text),
  } as unknown as Logger;
  const engine = new EmbeddedEngine({
    path,
    memoryBytes: 2 ** 28,
    maxSeries,
    clock: systemClock,
    logger,
    metrics: createMetrics(),
  });
  await engine.start();
  onTestFinished(async () => {
    await engine.stop();
    await rm(folder, { recursive: true });
  });
  const write = async (...points: Point[]) =>
    (await engine.write(points)).map(({ index, reason }) => [index, reason]);
  const series = async () => (await engine.status()).series;
  return { engine, write, series, warnings };
}

let timeNs = 0n;
const point = (sensor: string, ...metrics: string[]): Point => ({
  measurement: 'readings',
  tags: [['sensor', sensor]],
  fields: metrics.map((metric) => [metric, 1]),
  timeNs: ++timeNs,
});

it('a point that would bring one series too many is refused whole; known series go on', async () => {
  const { engine, write, series } = await start(3);
  expect(await write(point('a', 't'), point('b', 't', 'u'))).toEqual([]);
  const refused = [0, 2, 3].map((index) => [index, 'too_many_series']);
  expect(await write(point('c', 't'), point('a', 't'), point('b', 't', 'v'), point('d', 'x', 'y'))).toEqual(
    refused,
  );
  expect(await series()).toBe(3);
  expect((await engine.latest({})).map(({ sensor, metric }) => `${sensor} ${metric}`)).toEqual([
    'a t',
    'b t',
    'b u',
  ]);
  // What was refused pins no type and names no field.
  expect((await engine.fields()).map(({ field }) => field)).toEqual(['t', 'u']);
  const [rejected] = await engine.write([point('c', 't')]);
  expect(rejected?.detail).toContain('store.maxSeries');
});

it('deleting a sensor makes room, and the log says once that there was none', async () => {
  const { engine, write, warnings } = await start(1);
  await write(point('a', 't'));
  for (let round = 0; round < 3; round++) expect(await write(point('b', 't'))).toHaveLength(1);
  expect(warnings).toHaveLength(1);
  expect(await engine.status()).toMatchObject({
    isHealthy: true,
    message: expect.stringContaining('maxSeries'),
  });
  await engine.deleteSensor('a');
  expect(await write(point('b', 't'))).toEqual([]);
  expect(await write(point('c', 't'))).toHaveLength(1);
  await engine.stop();
  await engine.start();
  expect(await write(point('c', 't'), point('b', 't'))).toEqual([[0, 'too_many_series']]);
});
