import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import LevelPersistence from 'aedes-persistence-level/asyncPersistence.js';
import { connectAsync, connect as connectNow, type MqttClient } from 'mqtt';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { SessionQueue } from './session-queue.ts';
import { startAedes, type TestAedes } from './testing/test-aedes.ts';

let directory: string;
let broker: TestAedes;
let routed: string[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tidemark-broker-'));
  broker = await startAedes({ directory });
  routed = [];
  broker.aedes.on('publish', ({ topic }) => {
    if (!topic.startsWith('$SYS')) routed.push(topic);
  });
});

afterEach(async () => {
  vi.restoreAllMocks();
  await broker.stop();
  await rm(directory, { recursive: true });
});

const connect = (clientId: string, clean = true): Promise<MqttClient> =>
  connectAsync(broker.url, { clientId, clean });

/** Publishes until the broker knows that nobody listens, which takes a message or two. */
async function untilSilent(client: MqttClient, topic: string): Promise<void> {
  await expect
    .poll(async () => {
      routed.length = 0;
      await client.publishAsync(topic, '1', { qos: 1 });
      return routed;
    })
    .toEqual([]);
}

function collect(client: MqttClient): string[] {
  const seen: string[] = [];
  client.on('message', (_topic, payload) => seen.push(String(payload)));
  return seen;
}

it('routes a topic that nobody listens to only until it knows', async () => {
  const sensor = await connect('sensor');
  await untilSilent(sensor, 'sensors/a');
  await sensor.endAsync();
});

it.each(['sensors/a', 'sensors/+', 'sensors/#', '#', '+/a'])(
  'delivers from the first message after a subscription to %s',
  async (filter) => {
    const [sensor, listener] = [await connect('sensor'), await connect('listener')];
    await untilSilent(sensor, 'sensors/a');
    const seen = collect(listener);
    await listener.subscribeAsync(filter, { qos: 1 });
    for (const payload of ['2', '3', '4']) await sensor.publishAsync('sensors/a', payload, { qos: 1 });
    await expect.poll(() => seen).toEqual(['2', '3', '4']);
    await listener.unsubscribeAsync(filter);
    await untilSilent(sensor, 'sensors/a');
    await Promise.all([sensor.endAsync(), listener.endAsync()]);
  },
);

it('queues for a session that is offline', async () => {
  const sensor = await connect('sensor');
  const first = await connect('listener', false);
  await first.subscribeAsync('sensors/#', { qos: 1 });
  await first.endAsync();
  for (const payload of ['1', '2', '3']) await sensor.publishAsync('sensors/a', payload, { qos: 1 });
  const resumed = connectNow(broker.url, { clientId: 'listener', clean: false });
  const seen = collect(resumed);
  await expect.poll(() => seen).toEqual(['1', '2', '3']);
  await Promise.all([sensor.endAsync(), resumed.endAsync()]);
});

it('keeps a retained message that nobody listens to', async () => {
  const sensor = await connect('sensor');
  await untilSilent(sensor, 'state/fan');
  await sensor.publishAsync('state/fan', 'on', { qos: 1, retain: true });
  expect(routed).toEqual(['state/fan']);
  const listener = await connect('listener');
  const seen = collect(listener);
  await listener.subscribeAsync('state/#');
  await expect.poll(() => seen).toEqual(['on']);
  await Promise.all([sensor.endAsync(), listener.endAsync()]);
});

it.each([false, true])(
  'a message is stored and routed, once, before it is acknowledged (retained: %s)',
  async (retain) => {
    const [sensor, listener] = [await connect('sensor'), await connect('listener')];
    const seen = collect(listener);
    await listener.subscribeAsync('state/#');
    const store = vi.spyOn(LevelPersistence.prototype, 'storeRetained');
    let isStored = false;
    store.mockImplementation(async () => {
      await delay(50);
      isStored = true;
    });
    await sensor.publishAsync('state/fan', 'on', { qos: 1, retain });
    expect({ isStored, routed }).toEqual({ isStored: retain, routed: ['state/fan'] });
    await sensor.publishAsync('state/fan', 'off', { qos: 1 });
    await expect.poll(() => seen).toEqual(['on', 'off']);
    await Promise.all([sensor.endAsync(), listener.endAsync()]);
  },
);

it('a connection whose session cannot be read is closed, counted and told of', async () => {
  vi.spyOn(SessionQueue.prototype, 'load').mockRejectedValue(new Error('the disk is gone'));
  const first = await connect('listener', false);
  await first.subscribeAsync('commands/#', { qos: 1 });
  await first.endAsync();
  const sender = await connect('sender');
  await sender.publishAsync('commands/a', '1', { qos: 1 });
  const resumed = connectNow(broker.url, { clientId: 'listener', clean: false, reconnectPeriod: 0 });
  await new Promise<void>((resolve) => resumed.once('close', () => resolve()));
  const text = await broker.metrics.metrics();
  expect(text).toContain('tidemark_broker_closed_connections_total{reason="session_unreadable"} 1');
  await Promise.all([sender.endAsync(), broker.aedes.sessions.stop()]);
  expect(broker.logged).toMatchObject([
    { msg: expect.stringContaining('cannot be read'), err: { message: 'the disk is gone' }, times: 1 },
  ]);
});

it('a message that cannot be queued is not acknowledged, and its connection is closed and counted', async () => {
  const first = await connect('listener', false);
  await first.subscribeAsync('commands/#', { qos: 1 });
  await first.endAsync();
  const sender = connectNow(broker.url, { clientId: 'sender', reconnectPeriod: 0 });
  await new Promise<void>((resolve) => sender.once('connect', () => resolve()));
  Object.assign(broker.db, { batch: () => Promise.reject(new Error('the disk is gone')) });
  const acknowledged = vi.fn();
  sender.publish('commands/a', '1', { qos: 1 }, (error) => acknowledged(error?.message));
  await new Promise<void>((resolve) => sender.once('close', () => resolve()));
  const text = await broker.metrics.metrics();
  expect(text).toContain('tidemark_broker_closed_connections_total{reason="session_unwritable"} 1');
  expect(acknowledged).not.toHaveBeenCalledWith(undefined);
  await Promise.all([sender.endAsync(true), broker.aedes.sessions.stop()]);
  expect(broker.logged).toMatchObject([{ msg: 'MQTT sessions could not be written' }]);
});

it('retained messages that cannot be read are told of; the subscription and the process go on', async () => {
  const unreadable = (): Readable =>
    new Readable({ read: (): void => {} }).destroy(new Error('the disk is gone'));
  vi.spyOn(LevelPersistence.prototype, 'createRetainedStream').mockImplementation(unreadable);
  const [sensor, listener] = [await connect('sensor'), await connect('listener')];
  const seen = collect(listener);
  await listener.subscribeAsync('state/#', { qos: 1 });
  await sensor.publishAsync('state/fan', 'on', { qos: 1 });
  await expect.poll(() => seen).toEqual(['on']);
  const text = await broker.metrics.metrics();
  expect(text).toContain('tidemark_broker_dropped_messages_total{reason="retained_unreadable"} 1');
  await Promise.all([sensor.endAsync(), listener.endAsync(), broker.aedes.sessions.stop()]);
  expect(broker.logged).toMatchObject([{ err: { message: 'the disk is gone' }, times: 1 }]);
});
