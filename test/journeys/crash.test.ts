import { setTimeout as delay } from 'node:timers/promises';
import type { IPublishPacket } from 'mqtt-packet';
import { expect, it } from 'vitest';
import { allReadings } from '../support/all-readings.ts';
import { startPlatform } from '../support/platform-process.ts';
import { RawMqtt } from '../support/raw-mqtt.ts';
import { tempDir } from '../support/temp-dir.ts';

const ROUNDS = 4;
const WINDOW = 200;

it('kill -9 in the middle of a replay, then a restart, loses nothing that was acknowledged', async () => {
  const dataDir = await tempDir();
  const acknowledged = new Set<number>();
  for (let round = 0; round < ROUNDS; round++) {
    const platform = await startPlatform({ dataDir });
    const publishing = publishUntilCut(platform.mqttUrl, round, acknowledged);
    await delay(200 + Math.random() * 800);
    await platform.end('SIGKILL');
    await publishing;
  }
  expect(acknowledged.size).toBeGreaterThan(ROUNDS * WINDOW);

  const platform = await startPlatform({ dataDir });
  const stored = new Set((await allReadings(platform.httpUrl, 'sensor=replayed')).map(({ value }) => value));
  const missing = [...acknowledged].filter((value) => !stored.has(value));
  expect(missing).toEqual([]);
  expect(await platform.end('SIGTERM')).toBe(0);
});

/** Publishes numbers of the round, a window at a time, and notes those acknowledged until the broker dies. */
async function publishUntilCut(url: string, round: number, acknowledged: Set<number>): Promise<void> {
  const connection = await RawMqtt.connect(url, 'replay');
  const inFlight = new Map<number, number>();
  let next = 0;
  while (!connection.socket.destroyed) {
    while (inFlight.size < WINDOW) {
      const messageId = (next % 60_000) + 1;
      const value = round * 10_000_000 + next++;
      inFlight.set(messageId, value);
      connection.publish('sensors/replayed', JSON.stringify({ value }), { messageId });
    }
    await connection.until(() => true).catch(() => {});
    for (const packet of connection.received.splice(0)) {
      if (packet.cmd !== 'puback') continue;
      const messageId = packet.messageId!;
      acknowledged.add(inFlight.get(messageId)!);
      inFlight.delete(messageId);
    }
  }
}

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
