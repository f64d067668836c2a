import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMetrics, NS_PER_DAY, type Point, silentLogger, systemClock } from '@tidemark/core';
import type { Statement } from '@tidemark/influxql';
import { parseInfluxql } from '@tidemark/influxql/parser';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { Database } from '../database.ts';
import { EmbeddedEngine } from '../engine.ts';

const limits = {
  hotRows: 100,
  lateRows: 50,
  partitionRows: 100,
  rewriteRows: 10_000,
  runs: 3,
  rowsPerSum: 0,
};
const START_DAY = 19_675n;
const DAYS = 8n;
const POINTS_A_DAY = 24n;
const nowNs = (START_DAY + DAYS + 1n) * NS_PER_DAY;

let path: string;
let engine: EmbeddedEngine;

beforeAll(async () => {
  path = await mkdtemp(join(tmpdir(), 'tidemark-summed-'));
  const parts = { clock: systemClock, logger: silentLogger, metrics: createMetrics() };
  engine = new EmbeddedEngine({ path, memoryBytes: 256 * 2 ** 20, ...parts, limits });
  await engine.start();
  const points: Point[] = [];
  for (let step = 0n; step < DAYS * POINTS_A_DAY; step++) {
    for (const host of ['a', 'b', 'c']) {
      const timeNs = START_DAY * NS_PER_DAY + (step * NS_PER_DAY) / POINTS_A_DAY;
      const value = Number((step * 7n) % 31n) + (host === 'b' ? 100 : 0);
      points.push({ measurement: 'cpu', tags: [['host', host]], fields: [['v', value]], timeNs });
    }
  }
  await engine.write(points);
  await engine.compact();
});

afterAll(async () => {
  await engine.stop();
  await rm(path, { recursive: true });
});

/** The answer as rows by the tags of their series, and whether sums were read for it. */
async function ask(query: string): Promise<{ rows: unknown[]; readsSums: boolean }> {
  const read = vi.spyOn(Database.prototype, 'read');
  const [statement] = parseInfluxql(query);
  const series = await engine.influxql.answer(statement as Statement, { nowNs, database: 'tidemark' });
  const readsSums = read.mock.calls.some(([sql]) => sql.includes('sums_float'));
  read.mockRestore();
  return { rows: series.map(({ tags, values }) => [[...(tags ?? [])], [...values]]), readsSums };
}

const second = (day: bigint, hour: bigint): bigint => (START_DAY + day) * 86_400n + hour * 3600n;

it.each([
  '',
  'GROUP BY host',
  'GROUP BY time(1d)',
  'GROUP BY time(1d), host',
  'GROUP BY time(2d, 1d), host',
  'GROUP BY time(1d, 5h)',
])('adds up partitions and points to the numbers that points alone have: %s', async (groupBy) => {
  const range = `time >= ${second(0n, 3n)}s AND time < ${second(7n, 20n)}s`;
  const select = 'SELECT count(v), sum(v), mean(v), min(v), max(v), spread(v)';
  for (const where of [range, `${range} AND host = 'b'`, `${range} AND host != 'b'`]) {
    const known = await ask(`${select} FROM cpu WHERE ${where} ${groupBy}`);
    // A function that follows from no sums has all the points read.
    const points = await ask(`${select}, median(v) FROM cpu WHERE ${where} ${groupBy}`);
    expect(known.readsSums).toBe(groupBy !== 'GROUP BY time(1d, 5h)');
    expect(points.readsSums).toBe(false);
    const withoutMedian = points.rows.map((series) => {
      const [tags, values] = series as [unknown, unknown[][]];
      return [tags, values.map((row) => row.slice(0, -1))];
    });
    expect(known.rows).toEqual(withoutMedian);
  }
});

it('reads all points of a field with a condition', async () => {
  expect(await ask('SELECT count(v) FROM cpu WHERE v > 100')).toMatchObject({ readsSums: false });
});
