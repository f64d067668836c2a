import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connectAsync, type MqttClient } from 'mqtt';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { startFlows, type TestFlows } from '../support/flows-platform.ts';
import type { Item } from '../support/node-red.ts';

const examplesDir = new URL('../../flows/node-red/examples/', import.meta.url);

let flows: TestFlows;
let listener: MqttClient;
beforeAll(async () => {
  flows = await startFlows();
  listener = await connectAsync(flows.mqttUrl);
});
afterAll(async () => {
  await listener.endAsync(true);
  await flows.stop();
});
beforeEach(() => flows.nodeRed.forget());

async function example(name: string): Promise<Item[]> {
  return JSON.parse(await readFile(new URL(`${name}.json`, examplesDir), 'utf8')) as Item[];
}

/** The nodes of a type. */
function ofType(flow: Item[], type: string): Item[] {
  return flow.filter((node) => node.type === type);
}

async function hear(topic: string): Promise<string[]> {
  const heard: string[] = [];
  listener.on('message', (on, payload) => {
    if (on === topic) heard.push(payload.toString());
  });
  await listener.subscribeAsync(topic, { qos: 1 });
  return heard;
}

it('too hot: the fan goes on, and off with hysteresis once the last sensor is back', async () => {
  const { nodeRed, post } = flows;
  const flow = await example('1-too-hot-fan');
  const fan = await hear('commands/fan/set');
  await nodeRed.deploy(flow);
  const [threshold] = ofType(flow, 'tidemark-threshold');
  await nodeRed.status(threshold!.id as string, ({ text }) => text === 'clear');
  await post({ sensor: 'greenhouse-1', temperature: 20.5 });
  await expect.poll(() => fan).toEqual(['ON']);
  // Below the level, not yet at that of clearing; then another one is too hot before the first is back.
  await post({ sensor: 'greenhouse-1', temperature: 19.5 });
  await post({ sensor: 'greenhouse-2', temperature: 21 });
  await expect.poll(() => fan).toEqual(['ON', 'ON']);
  await post({ sensor: 'greenhouse-1', temperature: 19 });
  await post({ sensor: 'greenhouse-2', temperature: 19.2 });
  await expect.poll(() => fan).toEqual(['ON', 'ON', 'OFF']);
});

it('silent sensor: the webhook is told of its silence and of its return', async () => {
  const { nodeRed, post } = flows;
  const bodies: unknown[] = [];
  const server = createServer(async (request, response) => {
    let text = '';
    for await (const piece of request) text += piece;
    bodies.push([request.method, request.url, JSON.parse(text)]);
    response.end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const flow = await example('2-silent-sensor-webhook');
    const [threshold] = ofType(flow, 'tidemark-threshold');
    Object.assign(threshold!, { absentFor: '1s', sensors: 'buoy' });
    process.env.SILENT_SENSOR_WEBHOOK_URL = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
    await nodeRed.deploy(flow);
    await nodeRed.status(threshold!.id as string, ({ text }) => text === 'clear');
    await post({ sensor: 'buoy', depth: 3 });
    const told = { alert: `flow-${threshold!.id}:buoy`, sensor: 'buoy', severity: 'critical' };
    const silent = { ...told, state: 'firing', text: 'buoy has sent nothing for 1s' };
    await expect.poll(() => bodies, { timeout: 20_000 }).toEqual([['POST', '/hook', silent]]);
    await post({ sensor: 'buoy', depth: 4 });
    const back = { ...told, state: 'resolved', text: 'buoy is back' };
    await expect.poll(() => bodies[1], { timeout: 20_000 }).toEqual(['POST', '/hook', back]);
  } finally {
    delete process.env.SILENT_SENSOR_WEBHOOK_URL;
    server.close();
  }
});

it('windows report: it holds a line for each window', async () => {
  const { nodeRed, post } = flows;
  const reports = await hear('reports/temperature');
  const flow = await example('3-windows-report');
  const [query] = ofType(flow, 'tidemark-query');
  // A fixed range, so that the text is known; and no first report by itself.
  Object.assign(query!, { sensor: 'cellar', from: '2026-05-01T12:00:00Z', to: '2026-05-01T13:00:00Z' });
  const [inject] = ofType(flow, 'inject');
  Object.assign(inject!, { once: false });
  await nodeRed.deploy(flow);
  const at = (time: string, temperature: number) => ({
    sensor: 'cellar',
    time: `2026-05-01T${time}Z`,
    temperature,
  });
  await post([at('12:01:00', 20), at('12:02:00', 21.5), at('12:31:00', 19)]);
  nodeRed.inject(inject!.id as string, {});
  await expect
    .poll(() => reports)
    .toEqual(['12:00 cellar: mean 20.8, max 21.5 (n = 2)\n12:30 cellar: mean 19.0, max 19.0 (n = 1)']);
});

it('rolling mean: it is stored as a metric of the same sensor and time', async () => {
  const { nodeRed, post, ask } = flows;
  const flow = await example('rolling-mean');
  await nodeRed.deploy(flow);
  const [readings] = ofType(flow, 'tidemark-readings-in');
  await nodeRed.status(readings!.id as string, ({ text }) => text === 'connected');
  await post({ sensor: 'attic', temperature: 20, time: '2026-05-01T12:00:00Z' });
  await post({ sensor: 'attic', temperature: 23, time: '2026-05-01T12:01:00Z' });
  const mean = async () =>
    (await ask('GET', '/api/v1/readings/attic@1777636860000000000')).json.temperature_mean;
  await expect.poll(mean).toBe(21.5);
});

it('an alert of its own: raised and ended by messages; the heartbeat is known', async () => {
  const { nodeRed, ask } = flows;
  const flow = await example('own-alert-and-heartbeat');
  await nodeRed.deploy(flow);
  const state = async () => (await ask('GET', '/api/v1/alerts/pump-check:pump-1')).json.state;
  const [raise, end] = ofType(flow, 'inject');
  nodeRed.inject(raise!.id as string, {});
  await expect.poll(state).toBe('firing');
  nodeRed.inject(end!.id as string, {});
  await expect.poll(state).toBe('resolved');
  const services = async () =>
    ((await ask('GET', '/api/v1/heartbeats')).json.items as Item[]).map(({ service }) => service);
  await expect.poll(services).toContain('pump-flow');
});

it('every node has an example; each is whole, its wires and servers lead somewhere, and it holds no secret', async () => {
  const types = new Set<unknown>();
  for (const file of await readdir(examplesDir)) {
    const flow = await example(file.replace('.json', ''));
    const ids = new Set(flow.map(({ id }) => id));
    for (const { wires, server, z } of flow) {
      for (const id of ((wires ?? []) as string[][]).flat()) expect(ids).toContain(id);
      for (const id of [server, z].filter((one) => one !== undefined)) expect(ids).toContain(id);
    }
    expect(flow.some((node) => 'credentials' in node)).toBe(false);
    for (const { type } of flow) types.add(type);
  }
  const manifest = await readFile(new URL('../package.json', examplesDir), 'utf8');
  const registered = Object.keys(JSON.parse(manifest)['node-red'].nodes);
  expect(registered.filter((type) => !types.has(type))).toEqual([]);
});
