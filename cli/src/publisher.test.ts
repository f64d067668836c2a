import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig, silentLogger, systemClock } from '@tidemark/core';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { metricsOption } from './options.ts';
import { Platform } from './platform.ts';
import { Publisher } from './publisher.ts';
import { runSensors } from './simulate.ts';

let dataDir: string;
let platform: Platform;
let mqttPort: number;
let httpPort: number;

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'tidemark-publisher-'));
  [mqttPort, httpPort] = [0, 0];
  await startPlatform();
});
afterEach(async () => {
  await platform.stop();
  await rm(dataDir, { recursive: true, force: true });
});

async function startPlatform() {
  const overrides = { dataDir, 'mqtt.port': mqttPort, 'http.port': httpPort, 'grpc.port': 0 };
  platform = new Platform({ config: loadConfig({ overrides }), logger: silentLogger });
  ({ mqttPort, httpPort } = await platform.start());
}

const open = (maxInFlight: number) =>
  new Publisher({
    connection: { url: `mqtt://127.0.0.1:${mqttPort}`, username: undefined, password: undefined },
    qos: 1,
    maxInFlight,
  });

async function countOf(sensor: string): Promise<number> {
  const query = new URLSearchParams({ sensor, from: '0', to: '1000000', every: '7d', fn: 'count' });
  const response = await fetch(`http://127.0.0.1:${httpPort}/api/v1/windows?${query}`);
  const { items } = (await response.json()) as { items: { count: number }[] };
  return items.reduce((sum, { count }) => sum + count, 0);
}

it('gets every message acknowledged through restarts of the broker', { timeout: 60_000 }, async () => {
  const publisher = open(50);
  await publisher.start();
  const total = 6000;
  for (let second = 0; second < total; second++) {
    await publisher.publish('sensors/tank', `{"level":${second},"time":${second}}`);
    if (second === 1000 || second === 3000) {
      await platform.stop();
      await startPlatform();
    }
  }
  await publisher.drain();
  expect([publisher.published, publisher.acknowledged]).toEqual([total, total]);
  expect(publisher.reconnects).toBeGreaterThanOrEqual(2);
  expect(await countOf('tank')).toBe(total);
  await publisher.stop();
});

it('waits at the bound, and gives up on the signal while the broker is away', {
  timeout: 30_000,
}, async () => {
  const publisher = open(3);
  await publisher.start();
  await platform.stop();
  const abort = new AbortController();
  for (let n = 0; n < 3; n++) await publisher.publish('sensors/tank/level', String(n));
  const fourth = publisher.publish('sensors/tank/level', '3', abort.signal);
  expect(await Promise.race([fourth, Promise.resolve('waits')])).toBe('waits');
  abort.abort();
  await fourth;
  expect([publisher.published, publisher.acknowledged]).toEqual([3, 0]);
  await publisher.stop();
  await startPlatform();
});

it('refuses to begin without a broker, and says where it looked without the password', async () => {
  const connection = { url: 'mqtt://me:secret@127.0.0.1:1', username: undefined, password: undefined };
  const failure = new Publisher({ connection, qos: 1, maxInFlight: 1 }).start();
  await expect(failure).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringMatching(/^cannot reach a broker at mqtt:\/\/127\.0\.0\.1:1 /),
  });
});

it('simulates as many readings as asked, each stored', { timeout: 30_000 }, async () => {
  const publisher = open(100);
  await publisher.start();
  const signal = new AbortController().signal;
  const metrics = metricsOption('temperature,pressure');
  // It ticks less often than a sensor measures.
  const nowNs = () => BigInt(Math.floor(Date.now() / 1000)) * 1_000_000_000n;
  const clock = { ...systemClock, nowNs };
  const shared = { publisher, clock, signal, metrics, seed: 1, prefix: 'wing' };
  await runSensors({ ...shared, sensors: 4, rate: 200, count: 202 });
  await publisher.stop();
  expect(publisher.acknowledged).toBe(202);
  const response = await fetch(
    `http://127.0.0.1:${httpPort}/api/v1/windows?every=1d&by=sensor&metric=pressure&fn=count`,
  );
  const { items } = (await response.json()) as { items: { sensor: string; count: number }[] };
  expect(items.map(({ sensor, count }) => [sensor, count])).toEqual([
    ['wing-1', 51],
    ['wing-2', 51],
    ['wing-3', 50],
    ['wing-4', 50],
  ]);
});
