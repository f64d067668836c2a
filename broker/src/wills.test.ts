import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMetrics } from '@tidemark/core';
import { ClassicLevel } from 'classic-level';
import { connectAsync } from 'mqtt';
import { expect, it, onTestFinished, vi } from 'vitest';
import { BrokerMetrics } from './metrics.ts';
import { QuietAedes } from './quiet-aedes.ts';

it('a clock that runs away publishes no will of a client that is connected', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'tidemark-wills-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  const published: string[] = [];
  const db = new ClassicLevel<string, unknown>(directory, { valueEncoding: 'json' });
  await db.open();
  onTestFinished(() => db.close());
  const aedes = await QuietAedes.open({
    db,
    limits: {
      queue: { maxMessages: 100, maxBytes: 1e6 },
      maxExpirySeconds: 60,
      maxAway: 10,
      maxRetained: 10,
    },
    metrics: new BrokerMetrics(createMetrics(), { connectedClients: () => 0 }),
    onStorageError: () => {},
    authorizePublish: (_client, { topic }, done) => {
      published.push(topic);
      done();
    },
    heartbeatInterval: 10,
  });
  onTestFinished(() => aedes.sessions.stop());
  onTestFinished(() => new Promise<void>((resolve) => aedes.close(() => resolve())));
  const server = createServer(aedes.handle).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const { port } = server.address() as { port: number };

  const will = { topic: 'devices/a/online', payload: Buffer.from('0'), qos: 1, retain: false } as const;
  const client = await connectAsync(`mqtt://127.0.0.1:${port}`, { clientId: 'a', will });
  onTestFinished(() => client.endAsync(true));
  let reads = 0;
  const streamWill = aedes.sessions.streamWill.bind(aedes.sessions);
  Object.assign(aedes.sessions, {
    streamWill: (brokers: object) => {
      reads++;
      return streamWill(brokers);
    },
  });
  const realNow = Date.now;
  let hours = 0;
  vi.spyOn(Date, 'now').mockImplementation(() => realNow() + ++hours * 3_600_000);
  onTestFinished(() => void vi.restoreAllMocks());
  // Read again means that the wills before were dealt with.
  await vi.waitFor(() => expect(reads).toBeGreaterThan(2), 20_000);
  expect(published).not.toContain('devices/a/online');
  vi.restoreAllMocks();
  client.stream.destroy();
  await vi.waitFor(() => expect(published).toContain('devices/a/online'), 20_000);
});
