import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectAsync } from 'mqtt';
import { expect, it, onTestFinished, vi } from 'vitest';
import { startAedes } from './testing/test-aedes.ts';

it('a clock that runs away publishes no will of a client that is connected', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'tidemark-wills-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  const published: string[] = [];
  const { aedes, url, stop } = await startAedes({
    directory,
    authorizePublish: (_client, { topic }, done) => {
      published.push(topic);
      done();
    },
    heartbeatInterval: 10,
  });
  onTestFinished(stop);

  const will = { topic: 'devices/a/online', payload: Buffer.from('0'), qos: 1, retain: false } as const;
  const client = await connectAsync(url, { clientId: 'a', will });
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
