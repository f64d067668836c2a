import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { onBothStores } from '../support/both-stores.ts';
import { type PlatformProcess, runTidemark, startPlatform } from '../support/platform-process.ts';
import { tempDir } from '../support/temp-dir.ts';

const page = readFileSync(fileURLToPath(new URL('../../docs/derived.md', import.meta.url)), 'utf8');
const [, example] = /^```yaml\n(.*?)^```/ms.exec(page)!;
const rules = 'rules:\n  - {id: damp, metric: dew_point, above: 15, severity: info}\n';
const startMs = Date.now() - 60_000;

let platform: PlatformProcess;

async function post(...readings: Record<string, unknown>[]): Promise<void> {
  const response = await fetch(`${platform.httpUrl}/api/v1/readings`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(readings),
  });
  expect(await response.json()).toMatchObject({ rejected: [] });
}

/** Values of a metric by the second of their reading. */
async function valuesOf(sensor: string, metric: string): Promise<[number, number][]> {
  const response = await fetch(`${platform.httpUrl}/api/v1/readings?sensor=${sensor}&metric=${metric}`);
  const { items } = (await response.json()) as { items: Record<string, string | number>[] };
  return items.map((item) => [(Date.parse(String(item.time)) - startMs) / 1000, Number(item[metric])]);
}

async function get(path: string): Promise<Record<string, unknown>> {
  return (await (await fetch(`${platform.httpUrl}/api/v1/${path}`)).json()) as Record<string, unknown>;
}

const soon = <T>(read: () => T) => expect.poll(read, { timeout: 30_000, interval: 100 });
const at = (second: number) => ({ time: new Date(startMs + second * 1000).toISOString() });

onBothStores((newStore) => {
  it('the example of the docs: derived, alerted of, and right after late readings and kill -9', async () => {
    const dataDir = await tempDir();
    const file = join(dataDir, 'tidemark.yaml');
    writeFileSync(file, example + rules);
    const settings = { dataDir, env: { ...(await newStore()), TIDEMARK_CONFIG: file } };
    platform = await startPlatform(settings);
    onTestFinished(async () => void (await platform.end('SIGTERM')));
    const air = { temperature: 20, humidity: 50 };
    await post({ sensor: 'greenhouse-1', ...at(0), ...air }, { sensor: 'cellar', ...at(0), ...air });
    await post({ sensor: 'greenhouse-2', ...at(0), temperature: 25, humidity: 80 });
    // 9.26 °C by the tables for 20 °C and 50 %.
    await soon(() => valuesOf('greenhouse-1', 'dew_point')).toEqual([[0, expect.closeTo(9.26, 1)]]);
    expect(await valuesOf('cellar', 'dew_point')).toEqual([]);
    const { metrics } = await get('sensors/greenhouse-1');
    expect(metrics).toMatchObject({ dew_point: { unit: '°C', derived: true } });
    await soon(async () => (await get('alerts')).items).toMatchObject([
      { rule: 'damp', sensor: 'greenhouse-2', state: 'firing' },
    ]);

    const meter = (second: number, volume: number) => ({ sensor: 'meter', ...at(second), volume });
    await post(meter(0, 0), meter(10, 10), meter(30, 20));
    await soon(() => valuesOf('meter', 'flow')).toEqual([
      [10, 60],
      [30, 30],
    ]);
    await platform.end('SIGKILL');
    platform = await startPlatform(settings);
    await post(meter(40, 21), meter(20, 20), meter(-5, 0), meter(10, 10));
    await soon(() => valuesOf('meter', 'flow')).toEqual([
      [0, 0],
      [10, 60],
      [20, 60],
      [30, 0],
      [40, 6],
    ]);
    const truck = (second: number, x: number, vehicle: string) => ({
      sensor: 'gate',
      ...at(second),
      x,
      y: 0,
      vehicle,
    });
    await post(truck(0, 0, 'red'), truck(1, 500, 'blue'), truck(2, 30, 'red'), truck(3, 510, 'blue'));
    await soon(() => valuesOf('gate', 'velocity')).toEqual([
      [2, 15],
      [3, 5],
    ]);
    await platform.end('SIGTERM');
    writeFileSync(file, example!.replaceAll('flow', 'old_flow').replaceAll('dew_point', 'dew'));
    platform = await startPlatform(settings);
    const { stdout, stderr } = await runTidemark(
      ['derive', '--from', 'now-1h', '--metric', 'old_flow', '--metric', 'dew', '--json'],
      { env: { TIDEMARK_URL: platform.httpUrl } },
    );
    expect(stderr).toBe('');
    expect(
      stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as object),
    ).toEqual([
      { metric: 'old_flow', readings: 6, values: 5 },
      { metric: 'dew', readings: 3, values: 2 },
    ]);
    await soon(() => valuesOf('meter', 'old_flow')).toEqual([
      [0, 0],
      [10, 60],
      [20, 60],
      [30, 0],
      [40, 6],
    ]);
    await soon(() => valuesOf('greenhouse-1', 'dew')).toHaveLength(1);
    expect((await get('quality?from=now-1h')).items).toEqual([
      { sensor: 'meter', check: 'duplicate', count: 1, first: expect.any(String), last: expect.any(String) },
    ]);
  });
});
