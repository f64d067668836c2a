import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { connectAsync } from 'mqtt';
import { afterAll, beforeAll, beforeEach, expect, it, onTestFinished } from 'vitest';
import { allReadings } from '../support/all-readings.ts';
import { flowOf, sink } from '../support/flow.ts';
import { type Item, NodeRed } from '../support/node-red.ts';
import { type PlatformProcess, startPlatform } from '../support/platform-process.ts';
import { startPlatformWithToken } from '../support/platform-with-token.ts';
import { tempDir } from '../support/temp-dir.ts';

let nodeRed: NodeRed;
let userDir: string;
beforeAll(async () => {
  userDir = await mkdtemp(join(tmpdir(), 'tidemark-outages-'));
  nodeRed = await NodeRed.start({ userDir });
});
afterAll(async () => {
  await nodeRed.stop();
  await rm(userDir, { recursive: true, force: true });
});
beforeEach(() => nodeRed.forget());

/** A platform that goes away and comes back at the same addresses. */
class Coming {
  platform: PlatformProcess;
  readonly #env: Record<string, string>;

  constructor(platform: PlatformProcess) {
    this.platform = platform;
    this.#env = {
      TIDEMARK_HTTP_PORT: new URL(platform.httpUrl).port,
      TIDEMARK_MQTT_PORT: new URL(platform.mqttUrl).port,
    };
  }

  static async start(dataDir: string): Promise<Coming> {
    const coming = new Coming(await startPlatform({ dataDir }));
    onTestFinished(async () => void (await coming.platform.end('SIGKILL')));
    return coming;
  }

  async end(): Promise<void> {
    await this.platform.end('SIGKILL');
  }

  async comeBack(dataDir: string): Promise<void> {
    this.platform = await startPlatform({ dataDir, env: this.#env });
  }

  async post(reading: Item): Promise<void> {
    const response = await fetch(`${this.platform.httpUrl}/api/v1/readings`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(reading),
    });
    expect(response.status).toBe(200);
  }

  /** The flow, with this platform as its server. */
  flow(nodes: readonly Item[]): Item[] {
    const { httpUrl, mqttUrl } = this.platform;
    return flowOf(nodes).map((node) => (node.id === 'server' ? { ...node, apiUrl: httpUrl, mqttUrl } : node));
  }
}

const threshold = (id: string) => ({
  id,
  type: 'tidemark-threshold',
  metric: 'v',
  level: '30',
  wires: [['raised'], ['cleared']],
});

it('readings in resumes where it was when the platform was killed, and says what it cannot have', async () => {
  const dataDir = await tempDir();
  const coming = await Coming.start(dataDir);
  await nodeRed.deploy(coming.flow([{ id: 'in', type: 'tidemark-readings-in' }]));
  await nodeRed.status('in', ({ text }) => text === 'connected');
  await coming.post({ sensor: 'a', v: 1 });
  await nodeRed.messages('out', 1);
  await coming.end();
  await nodeRed.status('in', ({ fill }) => fill === 'red');
  await coming.comeBack(dataDir);
  for (const v of [2, 3]) await coming.post({ sensor: 'a', v });
  expect((await nodeRed.messages('out', 3)).map(({ payload }) => payload)).toEqual([1, 2, 3]);
  // Another log: what was asked for was never in it.
  await coming.end();
  await coming.comeBack(await tempDir());
  expect((await nodeRed.status('in', ({ fill, shape }) => fill === 'yellow' && shape === 'dot')).text).toBe(
    '? readings left out',
  );
});

it('threshold waits for a platform that is away, and tells nothing twice when it was killed', async () => {
  const dataDir = await tempDir();
  const coming = await Coming.start(dataDir);
  const flow = coming.flow([threshold('hot'), sink('raised'), sink('cleared')]);
  await coming.end();
  await nodeRed.deploy(flow);
  expect((await nodeRed.status('hot', ({ fill }) => fill === 'red')).text).toMatch(
    /^disconnected: no answer from Tidemark/,
  );
  await coming.comeBack(dataDir);
  await nodeRed.status('hot', ({ text }) => text === 'clear');
  await coming.post({ sensor: 'a', v: 31 });
  await nodeRed.messages('raised', 1);
  await coming.end();
  await coming.comeBack(dataDir);
  await coming.post({ sensor: 'b', v: 32 });
  await coming.post({ sensor: 'a', v: 3 });
  await nodeRed.messages('cleared', 1);
  expect(nodeRed.messagesOf('raised').map(({ topic }) => topic)).toEqual(['a/v', 'b/v']);
});

it('threshold brings its rule, and starts from what is, when the platform is another one', async () => {
  const coming = await Coming.start(await tempDir());
  await nodeRed.deploy(coming.flow([threshold('moved'), sink('raised'), sink('cleared')]));
  await nodeRed.status('moved', ({ text }) => text === 'clear');
  await coming.post({ sensor: 'a', v: 31 });
  await nodeRed.messages('raised', 1);
  await coming.end();
  await coming.comeBack(await tempDir());
  // What fired there is not known here.
  expect((await nodeRed.messages('cleared', 1)).map(({ topic }) => topic)).toEqual(['a']);
  await coming.post({ sensor: 'a', v: 33 });
  expect((await nodeRed.messages('raised', 2)).map(({ payload }) => payload)).toEqual([31, 33]);
});

it('reading out tries again until the platform is back, and stores nothing twice', async () => {
  const dataDir = await tempDir();
  const coming = await Coming.start(dataDir);
  await nodeRed.deploy(coming.flow([{ id: 'write', type: 'tidemark-reading-out' }]));
  await coming.end();
  for (let v = 0; v < 20; v++) nodeRed.inject('write', { topic: 'a/v', payload: v });
  await coming.comeBack(dataDir);
  await nodeRed.messages('out', 20);
  expect(await allReadings(coming.platform.httpUrl)).toHaveLength(20);
  expect(nodeRed.messagesOf('errors')).toEqual([]);
});

it('reading out stores nothing twice when the answer to the first try is lost', async () => {
  const coming = await Coming.start(await tempDir());
  const tries: number[] = [];
  const proxy = createServer(async (request, response) => {
    const body = await buffer(request);
    const key = request.headers['idempotency-key'];
    const headers = { 'content-type': 'application/json', ...(key && { 'idempotency-key': String(key) }) };
    const answer = await fetch(`${coming.platform.httpUrl}${request.url}`, { method: 'POST', headers, body });
    tries.push(answer.status);
    if (tries.length === 1) return response.destroy();
    response.end(await answer.text());
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  onTestFinished(() => void proxy.close());
  const apiUrl = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  const flow = flowOf([{ id: 'write', type: 'tidemark-reading-out' }]);
  await nodeRed.deploy(flow.map((node) => (node.id === 'server' ? { ...node, apiUrl } : node)));
  nodeRed.inject('write', { topic: 'a/v', payload: 1 });
  await nodeRed.messages('out', 1);
  expect(tries).toEqual([200, 200]);
  expect(await allReadings(coming.platform.httpUrl)).toHaveLength(1);
});

it('a command that was given up is not sent when the broker is back', async () => {
  const dataDir = await tempDir();
  const coming = await Coming.start(dataDir);
  await nodeRed.deploy(coming.flow([{ id: 'fan', type: 'tidemark-command', retain: true }]));
  nodeRed.inject('fan', { payload: 'first' });
  await nodeRed.messages('out', 1);
  await coming.end();
  nodeRed.inject('fan', { payload: 'given up' });
  const [told] = await nodeRed.messages('errors', 1);
  expect((told!.error as Error).message).toMatch(
    /^Error: (no connection to the MQTT broker at 127.0.0.1|the broker did not)/,
  );
  await coming.comeBack(dataDir);
  const device = await connectAsync(coming.platform.mqttUrl);
  onTestFinished(() => device.endAsync(true));
  const heard: string[] = [];
  device.on('message', (_topic, payload) => heard.push(payload.toString()));
  await device.subscribeAsync('commands/fan/set', { qos: 1 });
  nodeRed.inject('fan', { payload: 'next' });
  await nodeRed.messages('out', 2);
  await expect.poll(() => heard.at(-1)).toBe('next');
  expect(heard).not.toContain('given up');
});

it('a platform that asks for credentials is given those of the environment, and refuses without them', async () => {
  const { platform, created } = await startPlatformWithToken();
  const [httpUrl, mqttUrl] = [platform.httpUrl, platform.mqttUrl].map((url) =>
    url.replace('0.0.0.0', '127.0.0.1'),
  );
  const flow = flowOf([
    { id: 'fan', type: 'tidemark-command' },
    { id: 'ask', type: 'tidemark-query', what: 'latest' },
  ]).map((node) => (node.id === 'server' ? { ...node, apiUrl: httpUrl, mqttUrl } : node));
  await nodeRed.deploy(flow);
  nodeRed.inject('ask', {});
  expect(((await nodeRed.messages('errors', 1))[0]!.error as Error).message).toMatch(/token|credentials/i);

  process.env.TIDEMARK_FLOWS_TOKEN = created.token.token;
  process.env.TIDEMARK_FLOWS_MQTT_USER = created.user.name;
  process.env.TIDEMARK_FLOWS_MQTT_PASSWORD = created.user.password;
  onTestFinished(() => {
    for (const name of ['TOKEN', 'MQTT_USER', 'MQTT_PASSWORD']) delete process.env[`TIDEMARK_FLOWS_${name}`];
  });
  await nodeRed.deploy(flow);
  const { name: username, password } = created.user;
  const fan = await connectAsync(mqttUrl!, { username, password });
  onTestFinished(() => fan.endAsync(true));
  await fan.subscribeAsync('commands/fan/set');
  const heard = new Promise((resolve) =>
    fan.once('message', (_topic, payload) => resolve(payload.toString())),
  );
  nodeRed.inject('ask', {});
  nodeRed.inject('fan', { payload: 'ON' });
  await nodeRed.messages('out', 2);
  expect(await heard).toBe('ON');
});
