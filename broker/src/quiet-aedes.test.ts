import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMetrics } from '@tidemark/core';
import { ClassicLevel } from 'classic-level';
import { connectAsync, connect as connectNow, type MqttClient } from 'mqtt';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { BrokerMetrics } from './metrics.ts';
import { QuietAedes } from './quiet-aedes.ts';

let directory: string;
let db: ClassicLevel<string, unknown>;
let aedes: QuietAedes;
let server: Server;
let url: string;
let routed: string[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tidemark-broker-'));
  db = new ClassicLevel(directory, { valueEncoding: 'json' });
  await db.open();
  aedes = await QuietAedes.open({
    db,
    limits: {
      queue: { maxMessages: 100, maxBytes: 1e6 },
      maxExpirySeconds: 60,
      maxAway: 10,
      maxRetained: 10,
    },
    metrics: new BrokerMetrics(createMetrics(), { connectedClients: () => 0 }),
    onStorageError: (error) => {
      throw error;
    },
    authorizePublish: (_client, _packet, done) => done(),
  });
  routed = [];
  aedes.on('publish', ({ topic }) => {
    if (!topic.startsWith('$SYS')) routed.push(topic);
  });
  server = createServer(aedes.handle);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  url = `mqtt://127.0.0.1:${address.port}`;
});

afterEach(async () => {
  await new Promise<void>((resolve) => aedes.close(() => resolve()));
  server.close();
  await aedes.sessions.stop();
  await db.close();
  await rm(directory, { recursive: true });
});

const connect = (clientId: string, clean = true): Promise<MqttClient> =>
  connectAsync(url, { clientId, clean });

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
  const resumed = connectNow(url, { clientId: 'listener', clean: false });
  const seen = collect(resumed);
  await expect.poll(() => seen).toEqual(['1', '2', '3']);
  await Promise.all([sensor.endAsync(), resumed.endAsync()]);
});

it('keeps a retained message that nobody listens to', async () => {
  const sensor = await connect('sensor');
  await untilSilent(sensor, 'state/fan');
  await sensor.publishAsync('state/fan', 'on', { qos: 1, retain: true });
  const listener = await connect('listener');
  const seen = collect(listener);
  await listener.subscribeAsync('state/#');
  await expect.poll(() => seen).toEqual(['on']);
  await Promise.all([sensor.endAsync(), listener.endAsync()]);
});
