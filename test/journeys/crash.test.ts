import { setTimeout as delay } from 'node:timers/promises';
import type { IPublishPacket } from 'mqtt-packet';
import { expect, it } from 'vitest';
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
