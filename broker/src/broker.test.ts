import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { type AddressInfo, createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type Access,
  createMetrics,
  type Journal,
  loadConfig,
  type Quarantine,
  type Registry,
  silentLogger,
  systemClock,
  TopicClaims,
} from '@tidemark/core';
import { connectAsync, type IClientOptions, type MqttClient } from 'mqtt';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Broker } from './broker.ts';
import { HeldAcceptor } from './testing/held-acceptor.ts';

/** Far more than it takes, so that the machine's speed does not matter. */
const STOP_LIMIT_MS = 15_000;

/** Nothing is accepted, and nothing refused. */
const journal: Journal = { firstOffset: 0, endOffset: 0, read: async function* () {} };
const quarantine: Quarantine = {
  list: () => [],
  get: () => undefined,
  count: () => 0,
  summary: () => ({
    count: 0,
    byReason: [],
    bySource: [],
    bySensor: [],
    evicted: { items: 0, bytes: 0, age: 0 },
  }),
  watch: () => () => {},
};

const open: Access = {
  isRequired: false,
  checkUser: async () => false,
  knowsUser: () => true,
  checkToken: () => false,
  tokenName: () => undefined,
};
const guarded: Access = {
  isRequired: true,
  knowsUser: (name) => name === 'ada',
  checkUser: async (name, password) => {
    if (name === 'broken') throw new Error('meta.db is gone');
    return name === 'ada' && Buffer.from(password).toString() === 'lovelace';
  },
  checkToken: () => false,
  tokenName: () => undefined,
};

let dataDir: string;
let acceptor: HeldAcceptor;
let metrics: Registry;
let broker: Broker;
const clients: MqttClient[] = [];

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'tidemark-broker-'));
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.end(true);
  await broker.stop();
  await rm(dataDir, { recursive: true });
});

async function startBroker(access: Access = open): Promise<void> {
  acceptor = new HeldAcceptor();
  metrics = createMetrics();
  const config = loadConfig({ overrides: { dataDir, 'mqtt.port': 0, 'mqtt.maxTopicLevels': 8 } });
  broker = new Broker({
    heartbeats: { beat: async () => 1n },
    claims: new TopicClaims(),
    ...{ config, acceptor, access, metrics, journal, quarantine },
    clock: systemClock,
    logger: silentLogger,
    version: '1.2.3',
  });
  await broker.start();
}

interface Peer {
  client: MqttClient;
  /** Commands and message ids of the answers to what it published, as they came. */
  answers: string[];
}

async function connect(options: IClientOptions = {}, url = `mqtt://127.0.0.1:${broker.port}`): Promise<Peer> {
  const client = await connectAsync(url, { reconnectPeriod: 0, clientId: 'peer', ...options });
  clients.push(client);
  client.on('error', () => {});
  const answers: string[] = [];
  client.on('packetreceive', ({ cmd, messageId }) => {
    if (cmd === 'puback' || cmd === 'pubrec') answers.push(`${cmd} ${messageId}`);
  });
  return { client, answers };
}

/** Resolves when the broker has answered what another client sent after all that came before. */
async function roundTrip(): Promise<void> {
  const { client } = await connect({ clientId: 'bystander' });
  await client.publishAsync('commands/nothing', '', { qos: 1 });
  await client.endAsync();
}

function closed(client: MqttClient): Promise<void> {
  return new Promise((resolve) => client.once('close', () => resolve()));
}

/** Resolves with the topic of the next message that is delivered. */
function nextMessage(client: MqttClient): Promise<string> {
  return new Promise((resolve) => client.once('message', (topic) => resolve(topic)));
}

async function metric(name: string): Promise<number> {
  const found = await metrics.getSingleMetric(`tidemark_broker_${name}`)?.get();
  return found?.values[0]?.value ?? Number.NaN;
}

it.each([
  [4, 1, 'puback'],
  [4, 2, 'pubrec'],
  [5, 1, 'puback'],
  [5, 2, 'pubrec'],
] as const)(
  'MQTT version %i, QoS %i: no answer before the reading is durable, then %s',
  async (protocolVersion, qos, answer) => {
    await startBroker();
    const { client, answers } = await connect({ protocolVersion });
    const published = client.publishAsync('sensors/a/temperature', '1', { qos });
    await acceptor.submitted(1);
    await roundTrip();
    expect(answers).toEqual([]);
    acceptor.releaseAll();
    await published;
    const { messageId } = acceptor.submissions[0]!.delivery!;
    expect(answers).toEqual([`${answer} ${messageId}`]);
    expect(acceptor.submissions).toMatchObject([
      { topic: 'sensors/a/temperature', delivery: { clientId: 'peer', isDuplicate: false } },
    ]);
  },
);

it('acknowledges each client in the order it published', async () => {
  await startBroker();
  const peers = [await connect({ clientId: 'first' }), await connect({ clientId: 'second' })];
  const numbers = Array.from({ length: 20 }, (_, n) => n);
  const published = peers.flatMap(({ client }) =>
    numbers.map((n) => client.publishAsync(`sensors/${client.options.clientId}/n`, String(n), { qos: 1 })),
  );
  await acceptor.submitted(40);
  acceptor.releaseAll();
  await Promise.all(published);
  for (const { client, answers } of peers) {
    const own = acceptor.submissions.filter(({ delivery }) => delivery?.clientId === client.options.clientId);
    expect(own.map(({ payload }) => Number(Buffer.from(payload).toString()))).toEqual(numbers);
    expect(answers).toEqual(own.map(({ delivery }) => `puback ${delivery!.messageId}`));
  }
});

it('QoS 0 waits for nothing and reaches subscribers; what the log cannot take is dropped and counted', async () => {
  await startBroker();
  acceptor.isFull = true;
  const { client } = await connect();
  await client.subscribeAsync('sensors/#');
  const arrived = nextMessage(client);
  client.publish('sensors/a/n', '1', { qos: 0 });
  expect(await arrived).toBe('sensors/a/n');
  expect(await metric('dropped_messages_total')).toBe(1);
});

it('a resent message says so', async () => {
  await startBroker();
  const { client } = await connect();
  client.publish('sensors/a/n', '1', { qos: 1, dup: true });
  await acceptor.submitted(1);
  expect(acceptor.submissions[0]!.delivery).toMatchObject({ clientId: 'peer', isDuplicate: true });
});

it.each(['commands/valve', 'zigbee2mqtt/lamp', 'sensors', 'homeassistant/sensor/a/config'])(
  '%s is brokered, counted and never ingested',
  async (topic) => {
    await startBroker();
    const { client } = await connect();
    await client.subscribeAsync(topic);
    const arrived = nextMessage(client);
    await client.publishAsync(topic, 'on', { qos: 1 });
    await arrived;
    expect(acceptor.submissions).toEqual([]);
    expect(await metric('other_messages_total')).toBe(1);
  },
);

it('the removal of a retained message is no reading; an empty payload is one, to be refused', async () => {
  await startBroker();
  const { client } = await connect();
  await client.publishAsync('sensors/a/n', '', { qos: 1, retain: true });
  expect(acceptor.submissions).toEqual([]);
  client.publish('sensors/a/n', '', { qos: 1 });
  await acceptor.submitted(1);
});

it.each(['alerts/a/b', 'live/a', 'quarantine/mqtt', '$SYS/mine'])(
  "%s is the platform's own: MQTT 3.1.1 is disconnected, MQTT 5 is told why",
  async (topic) => {
    await startBroker();
    const older = await connect({ clientId: 'older' });
    const isClosed = closed(older.client);
    older.client.publish(topic, '1', { qos: 1 }, () => {});
    await isClosed;
    expect(older.answers).toEqual([]);
    const newer = await connect({ clientId: 'newer', protocolVersion: 5 });
    await expect(newer.client.publishAsync(topic, '1', { qos: 1 })).rejects.toMatchObject({ code: 0x87 });
    expect(await metric('forbidden_messages_total')).toBe(2);
    expect(acceptor.submissions).toEqual([]);
  },
);

it('a will on the topic of a reading is accepted as one', async () => {
  await startBroker();
  const will = { topic: 'sensors/a/online', payload: Buffer.from('0'), qos: 1, retain: false } as const;
  const { client } = await connect({ will });
  client.stream.destroy();
  await acceptor.submitted(1);
  expect(acceptor.submissions).toMatchObject([{ topic: 'sensors/a/online' }]);
  acceptor.releaseAll();
});

it.each([
  ['no credentials', {}, 4],
  ['a wrong password', { username: 'ada', password: 'babbage' }, 4],
  ['a name without a password', { username: 'ada' }, 4],
  ['a check that fails', { username: 'broken', password: 'x' }, 3],
])('where credentials are required, %s is refused', async (_what, credentials, code) => {
  await startBroker(guarded);
  await expect(connect(credentials)).rejects.toMatchObject({ code });
  expect(await metric('refused_logins_total')).toBe(1);
});

it('the right credentials are let in, and wrong ones are refused also where none are required', async () => {
  await startBroker(guarded);
  const { client } = await connect({ username: 'ada', password: 'lovelace' });
  expect(client.connected).toBe(true);
  await broker.stop();
  await startBroker(open);
  await expect(connect({ username: 'ada', password: 'lovelace' })).rejects.toMatchObject({ code: 4 });
});

it('speaks MQTT over WebSocket', async () => {
  await startBroker();
  const server = createServer().on('upgrade', (request, socket, head) =>
    broker.handleUpgrade(request, socket, head),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { client, answers } = await connect(
    {},
    `ws://127.0.0.1:${(server.address() as AddressInfo).port}/mqtt`,
  );
  const published = client.publishAsync('sensors/a/n', '1', { qos: 1 });
  await acceptor.submitted(1);
  await roundTrip();
  expect(answers).toEqual([]);
  acceptor.releaseAll();
  await published;
  await client.endAsync();
  server.close();
});

it('a topic with too many levels ends its connection and nothing else', async () => {
  await startBroker();
  const { client } = await connect();
  const isClosed = closed(client);
  client.publish('sensors/1/2/3/4/5/6/7/8', '1', { qos: 1 }, () => {});
  await isClosed;
  expect(acceptor.submissions).toEqual([]);
  await roundTrip();
});

it('stops although a socket never said CONNECT and a publisher is held', async () => {
  await startBroker();
  const silent = createConnection(broker.port, '127.0.0.1').on('error', () => {});
  await once(silent, 'connect');
  const { client, answers } = await connect();
  client.publish('sensors/a/n', '1', { qos: 1 }, () => {});
  await acceptor.submitted(1);
  // Left to itself the silent one would be waited for as long as it may take to say CONNECT: 30 s.
  const limit = delay(STOP_LIMIT_MS, 'still running', { ref: false });
  expect(await Promise.race([broker.stop(), limit])).toBeUndefined();
  // An answer that comes after its client has gone hurts nobody.
  acceptor.releaseAll();
  expect(answers).toEqual([]);
});
