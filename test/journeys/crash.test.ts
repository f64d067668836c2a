import { appendFile, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { IPublishPacket } from 'mqtt-packet';
import { expect, it } from 'vitest';
import { metricsOf } from '../faults/oracle/metrics.ts';
import { allReadings } from '../support/all-readings.ts';
import { startPlatform } from '../support/platform-process.ts';
import { RawMqtt } from '../support/raw-mqtt.ts';
import { tempDir } from '../support/temp-dir.ts';

it('sessions and retained messages survive kill -9', async () => {
  const dataDir = await tempDir();
  const before = await startPlatform({ dataDir });
  const subscriber = await RawMqtt.connect(before.mqttUrl, 'fan', false);
  subscriber.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'commands/#', qos: 1 }] });
  await subscriber.until(({ cmd }) => cmd === 'suback');
  subscriber.end();
  const publisher = await RawMqtt.connect(before.mqttUrl, 'rule');
  publisher.publish('commands/fan/set', 'on', { messageId: 1 });
  publisher.publish('state/fan', 'idle', { messageId: 2, retain: true });
  await publisher.until((packet) => packet.cmd === 'puback' && packet.messageId === 2);
  // Retained state and sessions have Aedes' promise: on disk soon after the PUBACK, not before it.
  await delay(500);
  await before.end('SIGKILL');

  const after = await startPlatform({ dataDir });
  const resumed = await RawMqtt.connect(after.mqttUrl, 'fan', false);
  const queued = (await resumed.until(({ cmd }) => cmd === 'publish')) as IPublishPacket;
  expect([queued.topic, String(queued.payload)]).toEqual(['commands/fan/set', 'on']);
  resumed.send({ cmd: 'subscribe', messageId: 2, subscriptions: [{ topic: 'state/#', qos: 0 }] });
  const retained = (await resumed.until(
    (packet) => packet.cmd === 'publish' && packet.topic === 'state/fan',
  )) as IPublishPacket;
  expect([retained.retain, String(retained.payload)]).toEqual([true, 'idle']);
  // What is no reading was brokered and never ingested.
  expect(await allReadings(after.httpUrl)).toEqual([]);
  await after.end('SIGTERM');
});

it('a session database that ends the process which opens it costs the sessions, and no reading', async () => {
  const dataDir = await tempDir();
  const before = await startPlatform({ dataDir });
  const publisher = await RawMqtt.connect(before.mqttUrl, 'rule');
  publisher.publish('sensors/s1/temperature', '21.5', { messageId: 1 });
  publisher.publish('state/fan', 'idle', { messageId: 2, retain: true });
  for (const id of [1, 2]) {
    await publisher.until((packet) => packet.cmd === 'puback' && packet.messageId === id);
  }
  const sessions = join(dataDir, 'broker');
  await expect.poll(() => logOf(sessions)).not.toHaveLength(0);
  await before.end('SIGKILL');
  // Records with the sequence numbers of others: an assertion of LevelDB does not hold.
  const log = await logOf(sessions);
  await appendFile(await logPath(sessions), log);

  const after = await startPlatform({ dataDir });
  const metrics = await metricsOf(after.httpUrl);
  expect(metrics.get('tidemark_broker_damaged_sessions_total')).toBe(1);
  const health = await (await fetch(`${after.httpUrl}/health`)).text();
  const [kept] = await readdir(join(sessions, 'damaged'));
  expect(health).toContain(`sessions and retained messages from before the start are lost`);
  expect(health).toContain(join('damaged', kept!));
  const device = await RawMqtt.connect(after.mqttUrl, 'rule');
  device.publish('sensors/s1/temperature', '22.5', { messageId: 1 });
  await device.until(({ cmd }) => cmd === 'puback');
  const temperatures = async () => (await allReadings(after.httpUrl)).map(({ temperature }) => temperature);
  await expect.poll(temperatures).toEqual([21.5, 22.5]);
  expect(await after.end('SIGTERM')).toBe(0);

  const next = await startPlatform({ dataDir });
  expect((await metricsOf(next.httpUrl)).get('tidemark_broker_damaged_sessions_total')).toBe(0);
  await next.end('SIGTERM');
});

async function logPath(directory: string): Promise<string> {
  return join(directory, (await readdir(directory)).find((name) => name.endsWith('.log'))!);
}

async function logOf(directory: string): Promise<Buffer> {
  return readFile(await logPath(directory));
}
