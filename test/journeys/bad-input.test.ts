import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { allReadings } from '../support/all-readings.ts';
import { type PlatformProcess, startPlatform } from '../support/platform-process.ts';
import { RawMqtt } from '../support/raw-mqtt.ts';

let dataDir: string;
let platform: PlatformProcess;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'tidemark-test-'));
  platform = await startPlatform({ dataDir });
});

afterAll(async () => {
  await platform.end('SIGTERM');
  await rm(dataDir, { recursive: true });
});

interface Refused {
  topic: string;
  reason: string;
  detail: string;
  payload: string;
  sensor: string | null;
}

async function quarantined(): Promise<Refused[]> {
  const response = await fetch(`${platform.httpUrl}/api/v1/quarantine?limit=1000`);
  return ((await response.json()) as { items: Refused[] }).items;
}

async function metric(pattern: RegExp): Promise<number> {
  const text = await (await fetch(`${platform.httpUrl}/metrics`)).text();
  return Number(new RegExp(`^${pattern.source} (\\d+)$`, 'm').exec(text)?.[1] ?? 0);
}

it.each([
  ['sensors/bad', '{"temperature": 21.5', 'malformed_json'],
  ['sensors/bad/temperature', '21,5', 'malformed_json'],
  ['sensors/bad/temperature', 'NaN', 'not_finite'],
  ['sensors/bad/temperature', '-Infinity', 'not_finite'],
  ['sensors/bad/temperature', '1e400', 'not_finite'],
  ['sensors/bad', '{"temperature": 1e400}', 'not_finite'],
  ['sensors/bad', '21.5', 'wrong_type'],
  ['sensors/bad', '{"temperature": {"celsius": 21.5}}', 'wrong_type'],
  ['sensors/bad/temperature', '[21.5]', 'wrong_type'],
  ['sensors/bad/temperature', 'null', 'missing_value'],
  ['sensors/bad', '{"temperature": null}', 'missing_value'],
  ['sensors/bad', '{"time": "2026-01-01T00:00:00Z"}', 'missing_value'],
  ['sensors/bad/temperature', '{"time": 1}', 'missing_value'],
  ['sensors/bad', '{}', 'empty'],
  ['sensors/bad', '[]', 'empty'],
  ['sensors/bad', '', 'empty'],
  ['sensors/bad/temperature', '{}', 'empty'],
  ['sensors/bad/temperature', '[]', 'empty'],
  ['sensors/bad', Buffer.from([0x22, 0xff, 0x22]), 'invalid_utf8'],
  ['sensors/bad', '{"temperature": 1, "time": "yesterday"}', 'bad_time'],
  ['sensors/bad', '{"temperature": 1, "time": "2199-01-01T00:00:00Z"}', 'time_out_of_range'],
  ['sensors/bad', '{"temperature": 1, "time": -5}', 'time_out_of_range'],
  ['sensors/bad', '{"temperature": 1, "location": 7}', 'bad_location'],
  ['sensors/bad', '{"a/b": 1}', 'bad_metric'],
  ['sensors/bad/a/b', '1', 'bad_metric'],
  ['sensors/bad/time', '1', 'bad_metric'],
  ['sensors/', '{"temperature": 1}', 'bad_sensor'],
  [`sensors/${'x'.repeat(129)}`, '{"temperature": 1}', 'bad_sensor'],
  [
    'sensors/bad',
    JSON.stringify(Array.from({ length: 1001 }, () => ({ temperature: 1 }))),
    'too_many_readings',
  ],
  [
    'sensors/bad',
    JSON.stringify(Object.fromEntries(Array.from({ length: 65 }, (_, n) => [`m${n}`, n]))),
    'too_many_fields',
  ],
  ['lines/gateway', 'weather temperature=', 'bad_line'],
])(
  '%s %s is quarantined as %s, acknowledged, and the connection lives on',
  async (topic, payload, reason) => {
    const before = await metric(
      new RegExp(`tidemark_ingest_quarantined_total\\{source="mqtt",reason="${reason}"\\}`),
    );
    const connection = await RawMqtt.connect(platform.mqttUrl, 'poison');
    connection.publish(topic, payload, { messageId: 1 });
    connection.publish('sensors/good/temperature', '1', { messageId: 2 });
    await connection.until((packet) => packet.cmd === 'puback' && packet.messageId === 1);
    await connection.until((packet) => packet.cmd === 'puback' && packet.messageId === 2);
    connection.end();
    const find = async () =>
      (await quarantined()).find(
        (item) => item.topic === topic && item.payload === Buffer.from(payload).toString('base64'),
      );
    await expect.poll(find).toMatchObject({ reason, detail: expect.stringMatching(/./) });
    expect(
      await metric(new RegExp(`tidemark_ingest_quarantined_total\\{source="mqtt",reason="${reason}"\\}`)),
    ).toBe(before + 1);
  },
);

it.each([
  ['an integer beyond 2^53 in the wrong place', '[[12345678901234567890]]'],
  ['nesting deeper than the stack', `${'['.repeat(100_000)}${']'.repeat(100_000)}`],
  [
    '15 000 missing values',
    JSON.stringify([Object.fromEntries(Array.from({ length: 15_000 }, (_, n) => [n, null]))]),
  ],
])('%s stops nothing', async (_what, payload) => {
  const connection = await RawMqtt.connect(platform.mqttUrl, 'poison');
  connection.publish('sensors/poison', payload, { messageId: 1 });
  connection.publish('sensors/good/temperature', '1', { messageId: 2 });
  await connection.until((packet) => packet.cmd === 'puback' && packet.messageId === 2);
  connection.end();
  expect(connection.received.filter(({ cmd }) => cmd === 'puback')).toHaveLength(2);
});

it('one bad part costs the rest of its message nothing', async () => {
  const connection = await RawMqtt.connect(platform.mqttUrl, 'mixed');
  const readings = [
    { temperature: 1, time: 1000 },
    { temperature: 'x'.repeat(3), humidity: null, time: 2000 },
    7,
    { temperature: 3, time: 3000 },
  ];
  connection.publish('sensors/mixed', JSON.stringify(readings), { messageId: 1 });
  connection.publish('lines/gateway', 'm,sensor=a f=1 1000000000\nbad\nm,sensor=a f=2 2000000000', {
    messageId: 2,
  });
  await connection.until((packet) => packet.cmd === 'puback' && packet.messageId === 2);
  connection.end();
  const stored = await allReadings(platform.httpUrl, 'sensor=mixed');
  expect(stored.map(({ time, temperature }) => [time, temperature])).toEqual([
    ['1970-01-01T00:16:40Z', 1],
    ['1970-01-01T00:33:20Z', 'xxx'],
    ['1970-01-01T00:50:00Z', 3],
  ]);
  const items = await quarantined();
  const payloads = items
    .filter(({ sensor }) => sensor === 'mixed')
    .map(({ payload }) => Buffer.from(payload, 'base64').toString());
  expect(payloads.sort()).toEqual(['7', JSON.stringify(readings[1])].sort());
  expect(items.find(({ topic }) => topic === 'lines/gateway')).toMatchObject({ reason: 'bad_line' });
});

it('a packet over the limit is refused before it is buffered, and counted', async () => {
  const connection = await RawMqtt.connect(platform.mqttUrl, 'large');
  // The header alone declares 200 MB; nothing of it needs to arrive.
  connection.socket.write(Buffer.from([0x32, 0x80, 0x84, 0xaf, 0x5f, 0x00, 0x01, 0x61]));
  await expect(connection.until(({ cmd }) => cmd === 'puback')).rejects.toThrow(/closed/);
  await expect.poll(() => metric(/tidemark_broker_too_large_packets_total/)).toBe(1);
  const other = await RawMqtt.connect(platform.mqttUrl, 'large');
  other.publish('sensors/good/temperature', '2', { messageId: 1 });
  await other.until(({ cmd }) => cmd === 'puback');
  other.end();
});

it('HTTP names the code and the path of the field', async () => {
  const url = `${platform.httpUrl}/api/v1/windows?metric=temperature&every=soon`;
  const response = await fetch(url);
  expect(response.status).toBe(400);
  expect(response.headers.get('content-type')).toContain('application/problem+json');
  expect(await response.json()).toMatchObject({ code: 'bad_request', errors: [{ path: 'every' }] });
  const post = (body: string): Promise<Response> =>
    fetch(`${platform.httpUrl}/api/v1/readings`, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json' },
    });
  const malformed = await post('{"sensor": "a",}');
  expect([malformed.status, malformed.headers.get('content-type')]).toEqual([
    400,
    expect.stringContaining('application/problem+json'),
  ]);
  const mixed = await post(
    '[{"sensor": "h", "temperature": 1, "time": 1000}, {"temperature": 2}, {"sensor": "h", "temperature": "1e400"}]',
  );
  expect(mixed.status).toBe(200);
  expect(await mixed.json()).toMatchObject({ accepted: 2, rejected: [{ index: 1, code: 'bad_sensor' }] });
  const none = await post('[{"sensor": "h", "temperature": null}]');
  expect(none.status).toBe(422);
  expect(await none.json()).toMatchObject({ accepted: 0, rejected: [{ index: 0, code: 'missing_value' }] });
});
