import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMetrics, type Point, silentLogger, systemClock } from '@tidemark/core';
import type { Statement } from '@tidemark/influxql';
import { parseInfluxql } from '@tidemark/influxql/parser';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import type { QuerySeries } from '../../engine.ts';
import { Database } from '../database.ts';
import { EmbeddedEngine } from '../engine.ts';

const SECOND = 1_000_000_000n;
const START_S = 1_600_000_000n;

/** Of a measurement with a point each hour. */
const HOURS = 2400;

let path: string;
let engine: EmbeddedEngine;

beforeAll(async () => {
  path = await mkdtemp(join(tmpdir(), 'tidemark-select-'));
  const memoryBytes = 256 * 2 ** 20;
  const metrics = createMetrics();
  engine = new EmbeddedEngine({ path, memoryBytes, clock: systemClock, logger: silentLogger, metrics });
  await engine.start();
  const points: Point[] = [];
  for (let step = 0n; step < 2000n; step++) {
    for (const host of ['a', 'b', 'c']) {
      const fields = [['v', Number(step % 97n)] as const, ['n', step] as const];
      points.push({ measurement: 'cpu', tags: [['host', host]], fields, timeNs: (START_S + step) * SECOND });
    }
  }
  for (let hour = 0; hour < HOURS; hour++) {
    const timeNs = (START_S + BigInt(hour) * 3600n) * SECOND;
    points.push({ measurement: 'rain', tags: [], fields: [['mm', hour]], timeNs });
  }
  await engine.write(points);
});

afterAll(async () => {
  await engine.stop();
  await rm(path, { recursive: true });
});

function answer(query: string): Promise<QuerySeries[]> {
  const [statement] = parseInfluxql(query);
  const options = { nowNs: START_S * 2n * SECOND, database: 'tidemark' };
  return engine.influxql.answer(statement as Statement, options);
}

/** Rows of the answer, and rows that came out of DuckDB for it. */
async function ask(query: string): Promise<{ answered: number; read: number }> {
  let read = 0;
  const { read: original } = Database.prototype;
  const spy = vi.spyOn(Database.prototype, 'read').mockImplementation(function (this: Database, ...args) {
    const [sql, parameters, onChunk, options] = args;
    const counted: typeof onChunk = (chunk) => {
      read += chunk.rowCount;
      onChunk(chunk);
    };
    return original.call(this, sql, parameters, counted, options);
  });
  const series = await answer(query);
  spy.mockRestore();
  return { answered: series.reduce((sum, { values }) => sum + values.length, 0), read };
}

const range = `time >= ${START_S}s AND time < ${START_S + 600n}s`;

it.each([
  ['SELECT v FROM cpu LIMIT 10', 10],
  ['SELECT v, n FROM cpu WHERE n > 1990 GROUP BY host', 27],
  ['SELECT mean(v) FROM cpu', 1],
  ['SELECT mean(v), max(n) FROM cpu GROUP BY host', 3],
  [`SELECT mean(v), percentile(v, 90) FROM cpu WHERE ${range} GROUP BY time(1m), host fill(linear)`, 33],
  [`SELECT derivative(mean(v), 1m) FROM cpu WHERE ${range} GROUP BY time(1m) LIMIT 4`, 4],
  [`SELECT median(v), stddev(v), mode(v), spread(v), count(distinct(v)) FROM cpu WHERE ${range}`, 1],
  ['SELECT top(v, 3), host FROM cpu', 3],
  ['SELECT integral(v) FROM cpu', 1],
  ['SELECT max(m) FROM (SELECT mean(v) AS m FROM cpu GROUP BY host)', 1],
  [`SELECT moving_average(v, 50) FROM cpu WHERE host = 'a' ORDER BY time DESC LIMIT 2`, 2],
  ['SELECT v FROM cpu WHERE v > 1000', 0],
  ['SELECT v FROM cpu WHERE v = 5 ORDER BY time DESC LIMIT 50', 50],
])('%s reads no more rows than it answers', async (query, rows) => {
  expect(await ask(query)).toEqual({ answered: rows, read: rows });
});

it('answers `last` by tags from what is in memory', async () => {
  expect(await ask('SELECT last(v) FROM cpu GROUP BY host')).toEqual({ answered: 3, read: 0 });
});

it.each([1, 2, 60, 100, 120, 3000])('finds a page of %i raw points from either end', async (limit) => {
  const hours = Array.from({ length: HOURS }, (_, hour) => hour);
  const page = async (order: string, where = '') => {
    const series = await answer(`SELECT mm FROM rain ${where} ORDER BY time ${order} LIMIT ${limit}`);
    return series.flatMap(({ values }) => [...values].map(([, value]) => value));
  };
  expect(await page('ASC')).toEqual(hours.slice(0, limit));
  expect(await page('DESC')).toEqual(hours.toReversed().slice(0, limit));
  const range = `WHERE time >= ${START_S + 30n * 3600n}s AND time < ${START_S + 2000n * 3600n}s`;
  const inner = hours.slice(30, 2000);
  expect(await page('ASC', range)).toEqual(inner.slice(0, limit));
  expect(await page('DESC', range)).toEqual(inner.toReversed().slice(0, limit));
});

it('finds the first and the last point of a range from its ends', async () => {
  const range = `time >= ${START_S + 30n * 3600n}s AND time < ${START_S + 2000n * 3600n}s`;
  const picked = async (name: string, where: string) => {
    const series = await answer(`SELECT ${name}(mm) FROM rain WHERE ${where}`);
    return series.flatMap(({ values }) => [...values].map(([, value]) => value));
  };
  expect(await picked('first', range)).toEqual([30]);
  expect(await picked('last', range)).toEqual([1999]);
  expect(await picked('first', `${range} AND mm > 700`)).toEqual([701]);
  expect(await picked('last', `${range} AND mm < 700`)).toEqual([699]);
  expect(await picked('first', `${range} AND mm > 5000`)).toEqual([]);
});

it('finds a page of raw points by one statement, where series report alike', async () => {
  const read = vi.spyOn(Database.prototype, 'read');
  await answer("SELECT n FROM cpu WHERE host = 'b' ORDER BY time DESC LIMIT 100");
  expect(read).toHaveBeenCalledTimes(1);
  expect(read.mock.calls[0]![0]).toMatch(/time BETWEEN/);
  read.mockRestore();
});

it('answers nothing of what a query would give beyond a million rows', async () => {
  const query = 'SELECT mean(v) FROM cpu WHERE time >= 0 GROUP BY time(1s)';
  await expect(ask(query)).rejects.toThrow(/^max-select-buckets limit exceeded: \(\d+\/1000000\)$/);
});

it('adds up series before they are joined to their groups, to the same numbers', async () => {
  const query = `SELECT count(v), sum(n), mean(v), min(v), max(n), spread(v), percentile(v, 95)
    FROM cpu WHERE ${range} AND host =~ /[ab]/ GROUP BY time(5m), host`;
  const series = await answer(query);
  const expected = new Map<bigint, bigint[]>();
  for (let step = 0n; step < 600n; step++) {
    const startNs = ((START_S + step) / 300n) * 300n * SECOND;
    expected.set(startNs, [...(expected.get(startNs) ?? []), step]);
  }
  const rows = [...expected].map(([startNs, steps]) => {
    const values = steps.map((step) => Number(step % 97n)).sort((a, b) => a - b);
    const total = values.reduce((sum, value) => sum + value, 0);
    const [low, high] = [values[0]!, values.at(-1)!];
    const rank = Math.floor((values.length * 95) / 100 + 0.5);
    return [
      startNs,
      BigInt(steps.length),
      steps.reduce((sum, step) => sum + step, 0n),
      total / values.length,
      low,
      steps.at(-1),
      high - low,
      values[rank - 1],
    ];
  });
  expect(series.map(({ tags }) => tags?.get('host'))).toEqual(['a', 'b']);
  for (const { values } of series) expect([...values]).toEqual(rows);
});
