import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createMetrics,
  loadConfig,
  type Point,
  PointColumns,
  type Reading,
  readingToPoint,
  silentLogger,
  systemClock,
} from '@tidemark/core';
import type { Engine } from '@tidemark/store';
import { findInfluxd, type Influxd, requireTool, startEngine, startInfluxd } from '@tidemark/store/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { openMeta } from '../testing/test-parts.ts';
import { Downsampling } from './downsampling.ts';

const minuteNs = 60_000_000_000n;
const startNs = 28_000_000n * minuteNs;
let nowNs = startNs;
const clock = { nowNs: () => nowNs, monotonicMs: () => systemClock.monotonicMs() };
const readings = Array.from({ length: 3000 }, (_, index): Reading => {
  const timeNs = startNs + BigInt(index) * 2_000_000_001n - (index % 7 === 0 ? 1n : 0n);
  const location = index % 5 === 0 ? 'north' : undefined;
  return {
    sensor: `s${index % 3}`,
    location,
    timeNs,
    values: [
      ['x', (index * 7919) % 1000],
      ['note', `n${index}`],
    ],
  };
});
const shuffled = readings.toSorted(
  (a, b) => Number((a.timeNs * 48_271n) % 65_537n) - Number((b.timeNs * 48_271n) % 65_537n),
);

beforeEach(() => {
  nowNs = startNs;
});

async function openStore(settings: Record<string, unknown>): Promise<Engine> {
  const dataDir = mkdtempSync(join(tmpdir(), 'tidemark-downsampling-'));
  const engine = await startEngine(loadConfig({ overrides: { dataDir, ...settings } }));
  onTestFinished(async () => {
    await engine.stop();
    rmSync(dataDir, { recursive: true });
  });
  return engine;
}

async function downsample(
  engine: Engine,
  meta: Awaited<ReturnType<typeof openMeta>>,
  every = ['1m', '1h'],
  more = {},
) {
  const config = loadConfig({ overrides: { 'downsample.every': every, ...more } });
  const parts = { config, clock, logger: silentLogger, metrics: createMetrics(), engine, meta };
  const downsampling = new Downsampling({ ...parts, between: (work) => work() });
  downsampling.takeUp();
  onTestFinished(() => downsampling.stop());
  const write = async (given: readonly Reading[]) => {
    const points = PointColumns.of(given.map(readingToPoint));
    expect(await engine.write(points)).toEqual([]);
    downsampling.noteWritten(points);
  };
  return { downsampling, write };
}

/** Each value by what it is of, rounded as sums are that were added up in another order. */
async function summed(engine: Engine, measurement: string): Promise<Map<string, unknown>> {
  const found = new Map<string, unknown>();
  for await (const page of engine.points({ measurements: [measurement], fromNs: 0n, toNs: 2n ** 63n }))
    for (const { tags, fields, timeNs } of page as Point[])
      for (const [field, value] of fields)
        found.set(JSON.stringify([field, tags, String(timeNs)]), Number(Number(value).toPrecision(12)));
  return new Map([...found].sort());
}

/** What the readings of a window and series sum up to. */
function expected(every: bigint, all: readonly Reading[]): Map<string, unknown> {
  const groups = new Map<string, { tags: unknown; start: bigint; values: [bigint, number][] }>();
  for (const reading of all) {
    const start = (reading.timeNs / every) * every;
    const { tags } = readingToPoint(reading);
    const key = JSON.stringify([tags, String(start)]);
    const group = groups.get(key) ?? { tags, start, values: [] };
    group.values.push([reading.timeNs, reading.values[0]![1] as number]);
    groups.set(key, group);
  }
  const found = new Map<string, unknown>();
  for (const { tags, start, values } of groups.values()) {
    const numbers = values.map(([, value]) => value);
    const sum = numbers.reduce((a, b) => a + b, 0);
    const last = values.toSorted(([a], [b]) => (a < b ? -1 : 1)).at(-1)![1];
    const results = {
      count: numbers.length,
      sum,
      min: Math.min(...numbers),
      max: Math.max(...numbers),
      mean: sum / numbers.length,
      last,
    };
    for (const [fn, value] of Object.entries(results))
      found.set(JSON.stringify([`x_${fn}`, tags, String(start)]), Number(value.toPrecision(12)));
  }
  return new Map([...found].sort());
}

function downsamplingContract(open: () => Promise<Engine>): void {
  test('late data gives what a sorted load gives, also over restarts', { timeout: 60_000 }, async () => {
    const engine = await open();
    const meta = await openMeta();
    let { downsampling, write } = await downsample(engine, meta);
    for (let start = 0; start < shuffled.length; start += 500) {
      nowNs = startNs + BigInt(start) * 2n * 1_000_000_000n;
      await write(shuffled.slice(start, start + 500));
      downsampling.save();
      if (start % 1000 === 0) await downsampling.sumUp();
      else {
        // As after a crash: what was noted is known.
        await downsampling.stop();
        ({ downsampling, write } = await downsample(engine, meta));
      }
    }
    nowNs = startNs + 200n * 60n * minuteNs;
    await downsampling.sumUp();
    expect(await summed(engine, 'readings_1m')).toEqual(expected(minuteNs, readings));
    expect(await summed(engine, 'readings_1h')).toEqual(expected(60n * minuteNs, readings));

    // Rewritten: the value of one reading is another now.
    const corrected = readings.map(
      (reading, index): Reading => (index === 1234 ? { ...reading, values: [['x', 5000]] } : reading),
    );
    await write([corrected[1234]!]);
    await downsampling.sumUp();
    expect(await summed(engine, 'readings_1m')).toEqual(expected(minuteNs, corrected));
    expect(await summed(engine, 'readings_1h')).toEqual(expected(60n * minuteNs, corrected));
  });
}

describe('downsampling on the embedded store', () => {
  downsamplingContract(() => openStore({}));

  test('leaves a window until it is over', async () => {
    const engine = await openStore({});
    const { downsampling, write } = await downsample(engine, await openMeta(), ['1m']);
    await write([readings[1]!]);
    nowNs = startNs + minuteNs + 4_000_000_000n;
    await downsampling.sumUp();
    expect((await summed(engine, 'readings_1m')).size).toBe(0);
    nowNs += 2_000_000_000n;
    await downsampling.sumUp();
    expect((await summed(engine, 'readings_1m')).size).toBe(6);
  });

  test('sums up all there is when a width is new, or comes again', async () => {
    const engine = await openStore({});
    const meta = await openMeta();
    nowNs = startNs + 200n * minuteNs;
    await engine.write(readings.slice(0, 1000).map(readingToPoint));
    const first = await downsample(engine, meta, ['1m']);
    await first.downsampling.sumUp();
    expect(await summed(engine, 'readings_1m')).toEqual(expected(minuteNs, readings.slice(0, 1000)));
    await first.downsampling.stop();
    const without = await downsample(engine, meta, []);
    await without.write(readings.slice(1000));
    const again = await downsample(engine, meta, ['1m']);
    await again.downsampling.sumUp();
    expect(await summed(engine, 'readings_1m')).toEqual(expected(minuteNs, readings));
  });

  test('leaves sums as they are whose readings retention has removed', async () => {
    const engine = await openStore({});
    const { downsampling, write } = await downsample(engine, await openMeta(), ['1h'], {
      'retention.maxAge': 'readings=1d',
    });
    const early = readings.filter(({ timeNs }) => timeNs < startNs + 60n * minuteNs && timeNs >= startNs);
    await write(early);
    nowNs = startNs + 62n * minuteNs;
    await downsampling.sumUp();
    const before = await summed(engine, 'readings_1h');
    expect(before.size).toBeGreaterThan(0);
    nowNs = startNs + 10n * 1440n * minuteNs;
    await engine.purge([{ measurement: 'readings', beforeNs: startNs + 1440n * minuteNs }]);
    await write([{ ...early[0]!, values: [['x', 1]] }]);
    await downsampling.sumUp();
    expect(await summed(engine, 'readings_1h')).toEqual(before);
  });

  test('does again what failed, and keeps it over a restart', async () => {
    const engine = await openStore({});
    const meta = await openMeta();
    const faults = [new Error('no answer'), new Error('no write')];
    const failing: Pick<Engine, 'windows' | 'write' | 'storage' | 'points'> = {
      windows: async (query) => {
        if (faults.length === 2) throw faults.shift();
        return engine.windows(query);
      },
      write: async (points) => {
        if (!(points instanceof PointColumns) && faults.length > 0) throw faults.shift();
        return engine.write(points);
      },
      storage: () => engine.storage(),
      points: (query) => engine.points(query),
    };
    const { downsampling, write } = await downsample(failing as Engine, meta, ['1m']);
    await downsampling.sumUp();
    await write(readings.slice(0, 100));
    nowNs = startNs + 200n * minuteNs;
    await expect(downsampling.sumUp()).rejects.toThrow('no answer');
    downsampling.save();
    await downsampling.stop();
    const again = await downsample(failing as Engine, meta, ['1m']);
    await expect(again.downsampling.sumUp()).rejects.toThrow('no write');
    await again.downsampling.sumUp();
    expect(await summed(engine, 'readings_1m')).toEqual(expected(minuteNs, readings.slice(0, 100)));
  });
});

const binary = findInfluxd();
describe.skipIf(!requireTool('influxd', binary))('downsampling on InfluxDB', () => {
  let influxd: Influxd | undefined;
  beforeAll(async () => {
    influxd = await startInfluxd(binary!);
  }, 60_000);
  afterAll(async () => influxd?.stop());

  downsamplingContract(async () => {
    const { url, token, org, createBucket } = influxd!;
    await createBucket('downsampling');
    return openStore({
      'store.kind': 'influxdb',
      'influx.url': url,
      'influx.token': token,
      'influx.org': org,
      'influx.bucket': 'downsampling',
    });
  });
});
