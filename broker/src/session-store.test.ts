import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Client, PublishPacket } from 'aedes';
import { connect as connectNow, type IConnackPacket, type MqttClient } from 'mqtt';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { startAedes, type TestAedes } from './testing/test-aedes.ts';

const EXPIRY_SECONDS = 60;

let directory: string;
let broker: TestAedes;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tidemark-broker-'));
  await start();
});

afterEach(async () => {
  vi.useRealTimers();
  await broker.stop();
  await rm(directory, { recursive: true });
});

async function start(): Promise<void> {
  const queue = { maxMessages: 3, maxBytes: 10_000 };
  const limits = { queue, maxExpirySeconds: EXPIRY_SECONDS, maxAway: 2, maxRetained: 2 };
  broker = await startAedes({ directory, limits });
}

interface Peer {
  client: MqttClient;
  isPresent: boolean;
  seen: string[];
}

/** An MQTT 3.1.1 client with a session that is kept. */
async function connect(clientId: string, clean = false): Promise<Peer> {
  const client = connectNow(broker.url, { clientId, clean, reconnectPeriod: 0 });
  const seen: string[] = [];
  client.on('message', (_topic, payload) => seen.push(String(payload)));
  const connack = await new Promise<IConnackPacket>((resolve) => client.once('connect', resolve));
  return { client, isPresent: connack.sessionPresent, seen };
}

async function leave({ client }: Peer): Promise<void> {
  const isGone = once(broker.aedes, 'clientDisconnect');
  await client.endAsync();
  await isGone;
}

/** A client that has subscribed and gone. */
async function absent(clientId: string, topic = 'commands/#'): Promise<void> {
  const peer = await connect(clientId);
  await peer.client.subscribeAsync(topic, { qos: 1 });
  await leave(peer);
}

async function publish(payloads: readonly string[], topic = 'commands/a', retain = false): Promise<void> {
  const peer = await connect('publisher', true);
  for (const payload of payloads) await peer.client.publishAsync(topic, payload, { qos: 1, retain });
  await leave(peer);
}

async function dropped(reason: string): Promise<number> {
  const found = await broker.metrics.getSingleMetric('tidemark_broker_dropped_messages_total')!.get();
  return found.values.find(({ labels }) => labels.reason === reason)!.value;
}

it.each([
  [EXPIRY_SECONDS - 5, true, ['1', '2']],
  [EXPIRY_SECONDS + 5, false, []],
])(
  'an MQTT 3.1.1 session that nobody came for in %i s, a restart between: there %s',
  async (seconds, isThere, kept) => {
    await absent('sleeper');
    await publish(['1', '2']);
    await broker.stop();
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + seconds * 1000 });
    await start();
    const back = await connect('sleeper');
    expect(back.isPresent).toBe(isThere);
    await expect.poll(() => back.seen).toEqual(kept);
    expect(await dropped('session_expired')).toBe(isThere ? 0 : 2);
    expect(broker.aedes.sessions.queuedCount).toBe(0);
    await back.client.endAsync();
  },
);

it('keeps no more for a session than its limit, also across a restart, and counts what it drops', async () => {
  await absent('sleeper');
  await publish(['1', '2']);
  await broker.stop();
  await start();
  await publish(['3', '4', '5']);
  expect(await dropped('queue_full')).toBe(2);
  const back = await connect('sleeper');
  await expect.poll(() => back.seen).toEqual(['1', '2', '3']);
  // What was acknowledged has made room.
  await expect.poll(() => broker.aedes.sessions.queuedCount).toBe(0);
  await publish(['6']);
  await expect.poll(() => back.seen).toEqual(['1', '2', '3', '6']);
  await back.client.endAsync();
});

it('with too many sessions away, the one that is away longest ends', async () => {
  for (const clientId of ['first', 'second', 'third']) await absent(clientId, `commands/${clientId}`);
  const back = [await connect('third'), await connect('second'), await connect('first')];
  expect(back.map(({ isPresent }) => isPresent)).toEqual([true, true, false]);
  await Promise.all(back.map(({ client }) => client.endAsync()));
});

it('retains on no more topics than its limit, and delivers all the same', async () => {
  const listener = await connect('listener', true);
  await listener.client.subscribeAsync('state/#');
  for (const [index, topic] of ['state/a', 'state/b', 'state/c', 'state/a'].entries()) {
    await publish([topic], topic, true);
    // Only what one client publishes stays in order.
    await expect.poll(() => listener.seen).toHaveLength(index + 1);
  }
  expect(listener.seen).toEqual(['state/a', 'state/b', 'state/c', 'state/a']);
  expect(await dropped('retained_full')).toBe(1);
  await publish([''], 'state/a', true);
  await publish(['state/c'], 'state/c', true);
  expect(broker.aedes.sessions.retainedCount).toBe(2);
  const later = await connect('later', true);
  await later.client.subscribeAsync('state/#');
  await expect.poll(() => later.seen.toSorted()).toEqual(['state/b', 'state/c']);
  await Promise.all([listener.client.endAsync(), later.client.endAsync()]);
});

it('keeps the last of the messages that are retained on a topic at the same time', async () => {
  const { sessions } = broker.aedes;
  const message = { cmd: 'publish', topic: 'state/a', qos: 0, retain: true, dup: false } as const;
  for (let round = 0; round < 100; round++) {
    const payloads = ['1', '2', '3', String(round)].map((payload) => Buffer.from(payload));
    await Promise.all(payloads.map((payload) => sessions.storeRetained({ ...message, payload })));
    const kept: PublishPacket[] = await sessions.createRetainedStreamCombi(['state/a']).toArray();
    expect(kept.map(({ payload }) => String(payload))).toEqual([String(round)]);
  }
});

it('a will that a crash left behind is removed when its client comes again', async () => {
  const will = { cmd: 'publish', topic: 'devices/a', payload: Buffer.from('0'), qos: 1 } as const;
  const packet = { ...will, retain: false, dup: false };
  await broker.aedes.sessions.putWill({ id: 'sleeper' } as Client, packet);
  await broker.stop();
  await start();
  expect(await storedWills()).toEqual(['devices/a']);
  const back = await connect('sleeper');
  expect(await storedWills()).toEqual([]);
  await back.client.endAsync();
});

async function storedWills(): Promise<string[]> {
  const wills = broker.aedes.sessions.streamWill({}) as AsyncIterable<PublishPacket>;
  return Array.fromAsync(wills, ({ topic }) => topic);
}
