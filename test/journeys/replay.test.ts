import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { replay } from '@tidemark/cli';
import { parseTime } from '@tidemark/core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type NewStore, onBothStores } from '../support/both-stores.ts';
import { startPlatformInProcess } from '../support/platform-in-process.ts';

// The main job on real input: recordings by MQTT at QoS 1 into each store, compared with the CSV itself.

const realFolder = fileURLToPath(new URL('../../../shared/data', import.meta.url));
const ownFolder = fileURLToPath(new URL('../fixtures', import.meta.url));
const folders = [ownFolder, realFolder].filter((folder) => existsSync(folder));
const recordings = folders.flatMap((folder) =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.csv'))
    .map((name) => join(folder, name)),
);
const hourNs = 3_600_000_000_000n;

interface WindowItem {
  time: string;
  count: number;
  mean: number;
  min: number;
  max: number;
}

onBothStores(journey);

function journey(newStore: NewStore): void {
  let platform: Awaited<ReturnType<typeof startPlatformInProcess>>;

  beforeAll(async () => {
    platform = await startPlatformInProcess(await newStore());
  }, 90_000);

  afterAll(() => platform?.stop(), 60_000);

  it.each(recordings.map((file) => [basename(file), file]))(
    '%s',
    { timeout: 120_000 },
    async (_name, file) => {
      const expected = readRecording(file);
      const sensor = basename(file, '.csv');
      const counts = await replay(file, {
        url: `mqtt://127.0.0.1:${platform.address.mqttPort}`,
        speed: Number.POSITIVE_INFINITY,
        qos: 1,
        inFlight: 200,
        metric: 'level',
        quiet: true,
      });
      expect(counts).toMatchObject({
        rows: expected.rows,
        published: expected.rows,
        acknowledged: expected.rows,
        skipped: 0,
      });

      const range = { sensor, from: String(expected.timesNs[0]), to: String(expected.timesNs.at(-1)! + 1n) };
      const stored = await readAll(platform.address.httpPort, range);
      // Not one large toEqual: printing how 20 000 readings differ takes minutes.
      expect(stored.filter(([timeNs, value]) => expected.values.get(timeNs) !== value).slice(0, 5)).toEqual(
        [],
      );
      expect(stored.map(([timeNs]) => timeNs).join()).toBe(expected.timesNs.join());

      const { items } = await get<{ items: WindowItem[] }>(platform.address.httpPort, 'windows', {
        ...range,
        metric: 'level',
        every: '1h',
        fn: 'count,mean,min,max',
      });
      const hours = hourly(expected.values);
      expect(items.map((item) => parseTime(item.time))).toEqual(hours.map((hour) => hour.startNs));
      for (const [index, hour] of hours.entries()) {
        const item = items[index]!;
        expect([item.count, item.min, item.max]).toEqual([hour.count, hour.min, hour.max]);
        expect(Math.abs(item.mean - hour.mean)).toBeLessThanOrEqual(1e-9 * Math.max(1, Math.abs(hour.mean)));
      }
    },
  );
}

/** The CSV read without any of the platform's code but its times: the last value of each timestamp. */
function readRecording(file: string) {
  const lines = readFileSync(file, 'utf8').trim().split(/\r?\n/).slice(1);
  const values = new Map<bigint, number>();
  for (const line of lines) {
    const [time, value] = line.split(',');
    // JSON answers write -0 as 0, which is the same number.
    values.set(parseTime(time)!, Number(value) + 0);
  }
  const timesNs = [...values.keys()].sort((a, b) => (a < b ? -1 : 1));
  return { rows: lines.length, values, timesNs };
}

function hourly(values: ReadonlyMap<bigint, number>) {
  const hours = new Map<bigint, number[]>();
  for (const [timeNs, value] of values) {
    const startNs = timeNs - (timeNs % hourNs);
    hours.set(startNs, [...(hours.get(startNs) ?? []), value]);
  }
  return [...hours]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([startNs, list]) => ({
      startNs,
      count: list.length,
      min: Math.min(...list),
      max: Math.max(...list),
      mean: list.reduce((sum, value) => sum + value / list.length, 0),
    }));
}

async function readAll(httpPort: number, range: Record<string, string>): Promise<[bigint, number][]> {
  const found: [bigint, number][] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const page: { items: { time: string; level: number }[]; next: string | null } = await get(
      httpPort,
      'readings',
      {
        ...range,
        order: 'asc',
        limit: '1000',
        ...(cursor === '' ? {} : { cursor }),
      },
    );
    for (const { time, level } of page.items) found.push([parseTime(time)!, level]);
    cursor = page.next;
  }
  return found;
}

async function get<T>(httpPort: number, route: string, parameters: Record<string, string>): Promise<T> {
  const url = `http://127.0.0.1:${httpPort}/api/v1/${route}?${new URLSearchParams(parameters)}`;
  const response = await fetch(url);
  const body = await response.text();
  if (!response.ok) throw new Error(`${response.status} ${body}`);
  return JSON.parse(body) as T;
}
