import { readdir, readFile } from 'node:fs/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { flowOf } from '../support/flow.ts';
import { startFlows, type TestFlows } from '../support/flows-platform.ts';
import type { Item } from '../support/node-red.ts';

let flows: TestFlows;
beforeAll(async () => {
  flows = await startFlows();
});
afterAll(() => flows.stop());
beforeEach(() => flows.nodeRed.forget());

function error(message: Item): string {
  return (message.error as Error).message.replace(/^Error: /, '');
}

async function errors(count: number): Promise<string[]> {
  return (await flows.nodeRed.messages('errors', count)).map(error);
}

describe('query', () => {
  it('asks for windows and latest values; the message overrides what is set', async () => {
    const { nodeRed, post } = flows;
    const at = (time: string, v: number) => ({ sensor: 'q', time: `2026-05-01T12:${time}Z`, v });
    await post([at('00:00', 1), at('00:30', 3), at('10:00', 5)]);
    await nodeRed.deploy(flowOf([{ id: 'ask', type: 'tidemark-query', metric: 'v', fn: 'count, mean' }]));
    const query = { sensor: 'q', from: '2026-05-01T12:00:00Z', to: '2026-05-01T13:00:00Z' };
    nodeRed.inject('ask', { query });
    const [windows] = await nodeRed.messages('out', 1);
    expect(windows!.payload).toEqual([
      { time: '2026-05-01T12:00:00Z', metric: 'v', sensor: 'q', count: 2, mean: 2 },
      { time: '2026-05-01T12:10:00Z', metric: 'v', sensor: 'q', count: 1, mean: 5 },
    ]);
    expect(windows!.query).toMatchObject({ what: 'windows', every: '10m', ...query });
    nodeRed.inject('ask', { query: { what: 'latest', sensor: ['q'] } });
    const [, latest] = await nodeRed.messages('out', 2);
    expect(latest!.payload).toEqual([
      { sensor: 'q', location: null, metric: 'v', value: 5, time: '2026-05-01T12:10:00Z' },
    ]);
  });

  it('hands what it cannot ask to Catch nodes, in the words of the platform', async () => {
    const { nodeRed } = flows;
    await nodeRed.deploy(flowOf([{ id: 'ask', type: 'tidemark-query' }]));
    nodeRed.inject('ask', { query: { evry: '1m' } });
    nodeRed.inject('ask', { query: 'v' });
    nodeRed.inject('ask', { query: { every: 'often' } });
    expect((await errors(3)).sort()).toEqual([
      'every: is no duration; write 90s, 5m, 1h30m or 1d',
      'msg.query has no evry; it has metric, sensor, location, from, to, every, fn, by, fill, tz',
      'msg.query must be an object, such as {"from": "now-1d", "every": "1h"}',
    ]);
    expect((await nodeRed.status('ask', ({ fill }) => fill === 'red')).text).toMatch(/^failed: /);
  });
});

describe('window', () => {
  it('rolls with the times of the values, for each topic', async () => {
    const { nodeRed } = flows;
    await nodeRed.deploy(
      flowOf([{ id: 'roll', type: 'tidemark-window', fn: 'mean', by: 'time', length: '1m' }]),
    );
    const at = (topic: string, second: number, payload: unknown) =>
      nodeRed.inject('roll', { topic, payload, time: 1_777_600_000_000 + second * 1000 });
    at('a', 0, 10);
    at('b', 0, 99);
    at('a', 30, 20);
    at('a', 70, 30);
    at('a', 40, 40); // late, and still within
    at('a', 5, 0); // too late
    at('a', 71, 'warm');
    const messages = await nodeRed.messages('out', 5);
    expect(messages.map(({ topic, payload }) => [topic, payload])).toEqual([
      ['a', 10],
      ['b', 99],
      ['a', 15],
      ['a', 25],
      ['a', 30],
    ]);
    expect(messages[4]!.window).toMatchObject({ count: 3, sum: 90, min: 20, max: 40, last: 30 });
    expect(await errors(2)).toEqual([
      'the value is older than the window',
      'msg.payload must be a number; it is "warm"',
    ]);
  });
});

describe('reading out', () => {
  it('goes on once readings are stored, and hands refusals to Catch nodes with their reasons', async () => {
    const { nodeRed, ask } = flows;
    await nodeRed.deploy(flowOf([{ id: 'write', type: 'tidemark-reading-out', location: 'cellar' }]));
    nodeRed.inject('write', { topic: 'tank/level', payload: 12.5, time: '2026-05-01T12:00:00Z' });
    const [written] = await nodeRed.messages('out', 1);
    expect(written!.result).toMatchObject({ accepted: 1, ids: ['tank@1777636800000000000'] });
    const { json } = await ask('GET', '/api/v1/readings/tank@1777636800000000000');
    expect(json).toMatchObject({ sensor: 'tank', location: 'cellar', level: 12.5 });
    nodeRed.inject('write', {
      payload: [
        { sensor: 'tank', level: 1 },
        { sensor: 'tank', level: null },
      ],
    });
    nodeRed.inject('write', { payload: 3 });
    const told = (await errors(2)).sort();
    expect(told[0]).toMatch(/^1 of 2 readings were refused: \[1\] missing_value: /);
    expect(told[1]).toBe(
      'which metric? set it in the node, or msg.topic to sensor/metric, or msg.payload to a reading',
    );
    expect(nodeRed.messagesOf('out')).toHaveLength(1);
  });
});

describe('alert', () => {
  it('raises and ends its own, and acknowledges and resolves any', async () => {
    const { nodeRed, ask } = flows;
    const alert = (id: string, settings: Item) => ({
      id,
      type: 'tidemark-alert',
      rule: 'pump-check',
      ...settings,
    });
    await nodeRed.deploy(
      flowOf([
        alert('raise', { action: 'raise', severity: 'critical', message: '{sensor} draws {value} A' }),
        alert('ack', { action: 'ack', by: 'ann', comment: 'on my way' }),
        alert('resolve', { action: 'resolve' }),
        alert('end', { action: 'end' }),
      ]),
    );
    nodeRed.inject('raise', { payload: 7.5, sensor: 'pump-1' });
    const [raised] = await nodeRed.messages('out', 1);
    expect(raised!.alert).toMatchObject({
      id: 'pump-check:pump-1',
      state: 'firing',
      severity: 'critical',
      message: 'pump-1 draws 7.5 A',
    });
    nodeRed.inject('ack', { alert: raised!.alert });
    nodeRed.inject('end', { sensor: 'pump-1' });
    const [, ...changed] = await nodeRed.messages('out', 3);
    expect(changed.map(({ alert }) => (alert as Item).state).sort()).toEqual(['acknowledged', 'resolved']);
    nodeRed.inject('resolve', { alertId: 'nothing:here' });
    nodeRed.inject('resolve', {});
    expect((await errors(2)).sort()).toEqual([
      'there is no alert nothing:here',
      'which alert? set it in the node, or in msg.alertId or msg.alert.id',
    ]);
    expect((await ask('GET', '/api/v1/alerts/pump-check:pump-1')).json).toMatchObject({ state: 'resolved' });
  });
});

describe('heartbeat', () => {
  it('beats at once and with each message', async () => {
    const { nodeRed, ask } = flows;
    const beat = { type: 'tidemark-heartbeat', service: 'boiler flow', timeout: '30s' };
    await nodeRed.deploy(
      flowOf([
        { ...beat, id: 'always', every: '1h' },
        { ...beat, id: 'asked', beat: 'message' },
      ]),
    );
    expect((await nodeRed.messages('out', 1))[0]!.heartbeat).toMatchObject({ service: 'boiler flow' });
    nodeRed.inject('asked', { latencyMs: 12.5 });
    await nodeRed.messages('out', 2);
    const services = (await ask('GET', '/api/v1/heartbeats')).json.items as Item[];
    expect(services.find(({ service }) => service === 'boiler flow')).toMatchObject({
      kind: 'beat',
      state: 'up',
      latencyMs: 12.5,
    });
    nodeRed.inject('asked', { latencyMs: -1 });
    expect((await errors(1))[0]).toMatch(/^latencyMs: /);
  });
});

describe('configurations', () => {
  const cases: [string, Item, RegExp][] = [
    [
      'of a newer version',
      { type: 'tidemark-window', version: 99 },
      /newer version of @tidemark\/node-red \(99; this one knows 1\)/,
    ],
    [
      'with faults',
      { type: 'tidemark-window', fn: 'median', length: 'long' },
      /fn must be one of .*; length is no duration/,
    ],
    ['without a server', { type: 'tidemark-query', server: '' }, /server is missing/],
    [
      'with a server that is gone',
      { type: 'tidemark-query', server: 'nobody' },
      /choose or add a Tidemark server/,
    ],
    [
      'with a topic of the platform',
      { type: 'tidemark-command', topic: 'live/a' },
      /topic is not written as it must be/,
    ],
    [
      'without what its condition needs',
      { type: 'tidemark-threshold', condition: 'above' },
      /metric is missing; level is missing/,
    ],
  ];
  it.each(cases)(
    '%s are refused at Catch nodes, by each message too, and shown',
    async (_name, settings, reason) => {
      const { nodeRed } = flows;
      await nodeRed.deploy(flowOf([{ id: 'wrong', ...settings }]));
      const [told] = await errors(1);
      expect(told).toMatch(reason);
      expect(await nodeRed.status('wrong', () => true)).toMatchObject({
        fill: 'red',
        text: 'not configured',
      });
      nodeRed.inject('wrong', { payload: 1 });
      const [, again] = await errors(2);
      expect(again).toMatch(reason);
    },
  );

  it('written by hand, without a version, get the defaults', async () => {
    const { nodeRed } = flows;
    await nodeRed.deploy(flowOf([{ id: 'roll', type: 'tidemark-window' }]));
    nodeRed.inject('roll', { payload: 3 });
    expect((await nodeRed.messages('out', 1))[0]!.payload).toBe(3);
  });
});

it('leaves nothing connected once its flows are gone', async () => {
  const { nodeRed, ask, post } = flows;
  const count = async (name: string) => {
    const metrics = await (await fetch(`${flows.httpUrl}/metrics`)).text();
    return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(metrics)?.[1]);
  };
  await post({ sensor: 'end', v: 1 });
  await nodeRed.deploy(
    flowOf([
      { id: 'in', type: 'tidemark-readings-in' },
      { id: 'fan', type: 'tidemark-command' },
    ]),
  );
  nodeRed.inject('fan', { payload: 'ON' });
  await nodeRed.messages('out', 1);
  await expect.poll(() => count('tidemark_live_clients')).toBe(1);
  expect(await count('tidemark_broker_connections')).toBe(1);
  await nodeRed.deploy(flowOf([]));
  await expect.poll(() => count('tidemark_live_clients')).toBe(0);
  await expect.poll(() => count('tidemark_broker_connections')).toBe(0);
  expect((await ask('GET', '/api/v1/rules')).json.items).toEqual([]);
});

it('every field, option and output has its text, in the catalogue and in the help', async () => {
  const nodesDir = new URL('../../flows/node-red/', import.meta.url);
  const { 'node-red': registered } = JSON.parse(await readFile(new URL('package.json', nodesDir), 'utf8'));
  const sources = await readdir(new URL('src/nodes/', nodesDir));
  expect(Object.keys(registered.nodes).sort()).toEqual(sources.map((name) => `tidemark-${name}`).sort());
  for (const [type, file] of Object.entries(registered.nodes as Record<string, string>)) {
    const html = await readFile(new URL(file.replace('.js', '.html'), nodesDir), 'utf8');
    const locales = new URL(`dist/locales/en-US/${type}`, nodesDir);
    const texts = JSON.parse(await readFile(`${locales.pathname}.json`, 'utf8'));
    const keys = [...html.matchAll(/data-i18n="(?:\[placeholder\])?([^"]+)"/g)].map(([, key]) => key!);
    const missing = keys.filter((key) => textAt(texts, key) === undefined);
    expect([type, missing]).toEqual([type, []]);
    const help = await readFile(`${locales.pathname}.html`, 'utf8');
    const labels = keys.filter(
      (key) => key.startsWith('label.') && !['label.name', 'label.server'].includes(key),
    );
    const unexplained = labels
      .map((key) => textAt(texts, key)!)
      .filter((label) => !help.toLowerCase().includes(label.toLowerCase()));
    expect([type, unexplained]).toEqual([type, []]);
  }
});

function textAt(texts: Item, key: string): string | undefined {
  const text = key.split('.').reduce<unknown>((part, name) => (part as Item | undefined)?.[name], texts);
  return typeof text === 'string' ? text : undefined;
}
