import type { IPublishPacket } from 'mqtt-packet';
import { expect, it, onTestFinished } from 'vitest';
import { type PlatformProcess, startPlatform } from '../support/platform-process.ts';
import { RawMqtt } from '../support/raw-mqtt.ts';
import { tempDir } from '../support/temp-dir.ts';

let platform: PlatformProcess;

type Item = Record<string, unknown>;

async function ask(method: string, path: string, body?: object): Promise<{ status: number; json: Item }> {
  const response = await fetch(`${platform.httpUrl}/api/v1/${path}`, {
    method,
    ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });
  return { status: response.status, json: (await response.json()) as Item };
}

async function list(path: string): Promise<Item[]> {
  return (await ask('GET', path)).json.items as Item[];
}

async function start(dataDir: string, env: Record<string, string> = {}): Promise<void> {
  platform = await startPlatform({ dataDir, env });
}

/** Publishes a reading, and resolves when it is acknowledged. */
async function publish(client: RawMqtt, sensor: string, reading: object): Promise<void> {
  const messageId = client.received.length + 1;
  client.publish(`sensors/${sensor}`, JSON.stringify(reading), { messageId });
  await client.until((packet) => packet.cmd === 'puback' && packet.messageId === messageId);
}

async function subscribe(client: RawMqtt, topic: string): Promise<void> {
  client.send({ cmd: 'subscribe', messageId: 60_000, subscriptions: [{ topic, qos: 0 }] });
  await client.until(({ cmd }) => cmd === 'suback');
}

/** The alert that was published with this state. */
async function told(client: RawMqtt, state: string): Promise<Item> {
  const packet = await client.until(
    (one) =>
      one.cmd === 'publish' && one.payload.length > 0 && JSON.parse(String(one.payload)).state === state,
  );
  return JSON.parse(String((packet as IPublishPacket).payload)) as Item;
}

const tooHot = {
  id: 'too-hot',
  metric: 'temperature',
  sensors: 'greenhouse-*',
  above: 30,
  clear: 28,
  for: '2m',
  message: '{sensor} is at {value} °C',
};

it('an alert is pending, fires, is acknowledged and resolved; kill -9 in between forgets nothing and doubles nothing', async () => {
  const dataDir = await tempDir();
  await start(dataDir);
  onTestFinished(async () => void (await platform.end('SIGKILL')));
  expect((await ask('POST', 'rules?unknownMetric=allow', tooHot)).status).toBe(201);
  let client = await RawMqtt.connect(platform.mqttUrl, 'device');
  const beginMs = Math.floor(Date.now() / 1000 - 5 * 60) * 1000;
  const at = (minute: number) => new Date(beginMs + minute * 60_000).toISOString();
  await publish(client, 'greenhouse-1', { temperature: 31, time: at(0) });
  await publish(client, 'hall-1', { temperature: 99, time: at(0) });
  const states = async () => (await list('alerts')).map(({ id, state }) => [id, state]);
  await expect.poll(states).toEqual([['too-hot:greenhouse-1', 'pending']]);

  await platform.end('SIGKILL');
  await start(dataDir);
  client = await RawMqtt.connect(platform.mqttUrl, 'device');
  await subscribe(client, 'alerts/#');
  await publish(client, 'greenhouse-1', { temperature: 32, time: at(2) });
  expect(await told(client, 'firing')).toEqual({
    id: 'too-hot:greenhouse-1',
    rule: 'too-hot',
    sensor: 'greenhouse-1',
    metric: 'temperature',
    state: 'firing',
    value: 32,
    since: at(0).replace('.000Z', 'Z'),
    severity: 'warning',
    message: 'greenhouse-1 is at 32 °C',
  });

  await platform.end('SIGKILL');
  await start(dataDir);
  client = await RawMqtt.connect(platform.mqttUrl, 'page');
  // Retained: who comes later learns it too.
  await subscribe(client, 'alerts/too-hot/+');
  expect(await told(client, 'firing')).toMatchObject({ value: 32 });
  await publish(client, 'greenhouse-1', { temperature: 33, time: at(3) });
  const acknowledged = await ask('POST', 'alerts/too-hot:greenhouse-1/ack', {
    by: 'ann',
    comment: 'on my way',
  });
  expect(acknowledged).toMatchObject({
    status: 200,
    json: { state: 'acknowledged', acknowledged: { by: 'ann', comment: 'on my way' } },
  });
  await told(client, 'acknowledged');
  await publish(client, 'greenhouse-1', { temperature: 29, time: at(4) });
  await publish(client, 'greenhouse-1', { temperature: 27, time: at(5) });
  expect(await told(client, 'resolved')).toMatchObject({ value: 27 });
  expect(await states()).toEqual([]);

  const history = (await list('alerts/history')).map(({ state, by, notifies, value }) => [
    state,
    by,
    notifies,
    value,
  ]);
  expect(history).toEqual([
    ['resolved', null, true, 27],
    ['acknowledged', 'ann', true, 32],
    ['firing', null, true, 32],
  ]);
  const query = 'SELECT state, firing, value FROM alerts GROUP BY rule, sensor, severity';
  const stored = async () => {
    const answer = await fetch(`${platform.httpUrl}/query?db=tidemark&q=${encodeURIComponent(query)}`);
    const { results } = (await answer.json()) as { results: { series?: { values: unknown[][] }[] }[] };
    return results[0]?.series?.[0]?.values.map(([, ...values]) => values).sort();
  };
  await expect.poll(stored).toEqual([
    ['acknowledged', 1, 32],
    ['firing', 1, 32],
    ['resolved', 0, 27],
  ]);

  client.received.length = 0;
  expect((await ask('DELETE', 'rules/too-hot')).status).toBe(200);
  await client.until((packet) => packet.cmd === 'publish' && packet.payload.length === 0);
});

it('a sensor that never comes back after a restart is missed all the same', async () => {
  const dataDir = await tempDir();
  await start(dataDir);
  onTestFinished(async () => void (await platform.end('SIGKILL')));
  expect((await ask('POST', 'rules', { id: 'silent', absent: '4s' })).status).toBe(201);
  const client = await RawMqtt.connect(platform.mqttUrl, 'device');
  await publish(client, 'well-1', { level: 3 });
  await platform.end('SIGKILL');
  await start(dataDir);
  const firing = async () => (await list('alerts?state=firing')).map(({ id }) => id);
  await expect.poll(firing, { timeout: 30_000, interval: 200 }).toEqual(['silent:well-1']);
  const back = await RawMqtt.connect(platform.mqttUrl, 'device');
  await publish(back, 'well-1', { level: 4 });
  await expect.poll(firing).toEqual([]);
});

it('data of years ago make alerts, and page nobody', async () => {
  const dataDir = await tempDir();
  await start(dataDir);
  onTestFinished(async () => void (await platform.end('SIGKILL')));
  expect((await ask('POST', 'rules?unknownMetric=allow', { ...tooHot, for: '0s' })).status).toBe(201);
  const client = await RawMqtt.connect(platform.mqttUrl, 'device');
  await publish(client, 'greenhouse-1', { temperature: 40, time: '2013-12-02T21:15:00Z' });
  const alerts = async () => (await list('alerts')).map(({ state, isCurrent }) => [state, isCurrent]);
  await expect.poll(alerts).toEqual([['firing', false]]);
  expect(await list('alerts/history')).toMatchObject([{ state: 'firing', notifies: false }]);
  await publish(client, 'greenhouse-1', { temperature: 41 });
  await expect.poll(alerts).toEqual([['firing', true]]);
  expect(await list('alerts/history')).toMatchObject([
    { state: 'firing', notifies: true, value: 41 },
    { state: 'firing', notifies: false, value: 40 },
  ]);
});
