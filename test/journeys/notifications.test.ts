import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { type PlatformProcess, startPlatform } from '../support/platform-process.ts';
import { RawMqtt } from '../support/raw-mqtt.ts';
import { tempDir } from '../support/temp-dir.ts';
import { startWebhookServer } from '../support/webhook-server.ts';

const SENSORS = 10;

it('kill -9 between an alert and its delivery: every notification comes, and again only with the same key', async () => {
  let hangs = false;
  const { url, calls } = await startWebhookServer((response) => {
    if (!hangs) response.end();
  });
  const dataDir = await tempDir();
  const settings = {
    rules: [{ id: 'too-hot', metric: 'temperature', above: 30, notify: ['ops'] }],
    channels: { ops: { type: 'webhook', url, headers: { authorization: 'Bearer not-to-be-shown' } } },
    notifications: { privateHosts: ['127.0.0.1'] },
  };
  const config = join(dataDir, 'tidemark.yaml');
  await writeFile(config, JSON.stringify(settings));
  let platform: PlatformProcess | undefined;
  onTestFinished(async () => void (await platform?.end('SIGKILL')));
  const start = async () => startPlatform({ dataDir, env: { TIDEMARK_CONFIG: config } });

  for (const [round, temperature] of [31, 20, 32, 21].entries()) {
    hangs = round % 2 === 0;
    const before = calls.length;
    platform = await start();
    const client = await RawMqtt.connect(platform.mqttUrl, 'device');
    for (let sensor = 0; sensor < SENSORS; sensor += 1)
      client.publish(`sensors/s${sensor}/temperature`, String(temperature), { messageId: sensor + 1 });
    await client.until((packet) => packet.cmd === 'puback' && packet.messageId === SENSORS);
    // One at least is on its way; the rest is somewhere between the log and there.
    await expect.poll(() => calls.length, { interval: 1 }).toBeGreaterThan(before);
    await platform.end('SIGKILL');
  }

  hangs = false;
  platform = await start();
  const items = async (path: string) => {
    const answer = await fetch(`${platform!.httpUrl}/api/v1/${path}`);
    return ((await answer.json()) as { items: Record<string, unknown>[] }).items;
  };
  const told = async () => (await items('alerts/history?limit=1000')).filter(({ notifies }) => notifies);
  await expect.poll(async () => (await told()).length, { timeout: 20_000 }).toBe(4 * SENSORS);
  await expect.poll(() => items('notifications'), { timeout: 20_000 }).toEqual([]);
  const bodies = new Map<string, Set<string>>();
  for (const { key, body } of calls) bodies.set(key, (bodies.get(key) ?? new Set()).add(body));
  expect([...bodies.keys()].sort()).toEqual((await told()).map(({ key }) => `${key}:ops`).sort());
  expect([...bodies.values()].every(({ size }) => size === 1)).toBe(true);
  expect(calls.length).toBeGreaterThan(4 * SENSORS);
});
