import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type PlatformProcess, startPlatform } from '../support/platform-process.ts';
import { startPlatformWithToken } from '../support/platform-with-token.ts';
import { RawMqtt } from '../support/raw-mqtt.ts';
import { tempDir } from '../support/temp-dir.ts';

// What a trace says is what happens: each message is traced, then published, and the two are compared.

interface Trace {
  outcome: string;
  stopsAt: string | null;
  steps: { step: string; status: string; message: string; hint: string | null }[];
  readings: Record<string, unknown>[];
  rejected: { index: number; code: string; detail: string }[];
}

async function ask<Answer>(platform: PlatformProcess, path: string, body?: unknown): Promise<Answer> {
  const response = await fetch(`${platform.httpUrl}/api/v1/${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { 'content-type': 'application/json' },
    body: body === undefined ? null : JSON.stringify(body),
  });
  expect(response.status).toBeLessThan(300);
  const answer = (await response.json()) as Answer;
  // On a busy machine a query may not see yet what was acknowledged before it, and says so.
  return body === undefined && response.headers.has('tidemark-lag-ms') ? ask(platform, path) : answer;
}

function trace(platform: PlatformProcess, topic: string, payload: string | Buffer): Promise<Trace> {
  const payloadBase64 = Buffer.from(payload).toString('base64');
  return ask(platform, 'trace', { topic, payloadBase64 });
}

/** What a platform holds: what must not change by a trace, and has to change as it says by the message. */
async function contentsOf(platform: PlatformProcess) {
  const [latest, quarantine, sensors] = await Promise.all([
    ask<{ items: unknown[] }>(platform, 'latest'),
    ask<{ items: { reason: string; detail: string }[]; total: number }>(platform, 'quarantine?limit=1000'),
    ask<{ items: { id: string; metrics: object }[] }>(platform, 'sensors?limit=1000'),
  ]);
  return { latest: latest.items, quarantine: quarantine.items, sensors: sensors.items };
}

/** Publishes at QoS 1; resolves with whether it was acknowledged. */
async function publish(platform: PlatformProcess, topic: string, payload: string | Buffer): Promise<boolean> {
  const connection = await RawMqtt.connect(platform.mqttUrl, 'traced');
  try {
    connection.publish(topic, payload, { messageId: 7 });
    await connection.until((packet) => packet.cmd === 'puback' && packet.messageId === 7);
    return true;
  } catch {
    return false;
  } finally {
    connection.end();
  }
}

async function expectTold(
  platform: PlatformProcess,
  [topic, payload, expected]: [string, string | Buffer, { outcome: string; stopsAt: string | null }],
): Promise<Trace> {
  const before = await contentsOf(platform);
  const told = await trace(platform, topic, payload);
  expect(told).toMatchObject(expected);
  expect(await contentsOf(platform)).toEqual(before);
  const isAcknowledged = await publish(platform, topic, payload);
  expect(isAcknowledged).toBe(expected.outcome !== 'refused');
  // The store's refusals come behind the acknowledgement.
  let after = await contentsOf(platform);
  const codes = told.rejected.map(({ code }) => code).sort();
  const added = () => after.quarantine.length - before.quarantine.length;
  for (let waits = 0; added() < codes.length && waits < 100; waits++) after = await contentsOf(platform);
  const refused = after.quarantine.slice(0, added());
  expect(refused.map(({ reason }) => reason).sort()).toEqual(codes);
  expect(refused.map(({ detail }) => detail).sort()).toEqual(
    told.rejected.map(({ detail }) => detail).sort(),
  );
  const isStored = JSON.stringify(after.latest) !== JSON.stringify(before.latest);
  expect(isStored).toBe(told.readings.length > 0);
  return told;
}

describe('an open platform', () => {
  let platform: PlatformProcess;
  let dataDir: string;
  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'tidemark-test-'));
    const file = join(dataDir, 'tidemark.yaml');
    await writeFile(
      file,
      'mappings:\n  - preset: zigbee2mqtt\nregistry:\n  maxSensors: 6\n  maxMetricsPerSensor: 2\nmqtt:\n  maxPacketBytes: 4096\n',
    );
    platform = await startPlatform({ dataDir, env: { TIDEMARK_CONFIG: file } });
    await publish(platform, 'sensors/known', '{"level": 1, "state": "on"}');
    await publish(platform, 'lines/x', `weather value=1i\nreadings,sensor=known level=2`);
  });
  afterAll(async () => {
    await platform.end('SIGTERM');
    await rm(dataDir, { recursive: true });
  });

  const ahead = JSON.stringify({ level: 1, time: new Date(Date.now() + 3 * 86_400_000) });
  it.each<[string, string | Buffer, { outcome: string; stopsAt: string | null }]>([
    ['sensors/known', '{"level": 5}', { outcome: 'stored', stopsAt: null }],
    ['sensors/known/level', '6', { outcome: 'stored', stopsAt: null }],
    ['sensors/fresh/level', '7', { outcome: 'stored', stopsAt: null }],
    ['lines/x', 'readings,sensor=known level=8', { outcome: 'stored', stopsAt: null }],
    ['sensors/known', '[{"level": 9}, {"level": null}]', { outcome: 'partly_stored', stopsAt: null }],
    ['sensors/known', '{"level": 10, "third": 1}', { outcome: 'partly_stored', stopsAt: null }],
    ['zigbee2mqtt/attic', '{"temperature": 20.6}', { outcome: 'stored', stopsAt: null }],
    ['zigbee2mqtt/attic', '{"temperature": ', { outcome: 'quarantined', stopsAt: 'decode' }],
    ['sensors/known', '{"level": 5', { outcome: 'quarantined', stopsAt: 'decode' }],
    ['sensors/known/level', 'NaN', { outcome: 'quarantined', stopsAt: 'decode' }],
    ['sensors/known', Buffer.from([0x22, 0xff, 0x22]), { outcome: 'quarantined', stopsAt: 'decode' }],
    ['lines/x', 'weather value=', { outcome: 'quarantined', stopsAt: 'decode' }],
    ['sensors/known/a/b', '1', { outcome: 'quarantined', stopsAt: 'validation' }],
    ['sensors/known', ahead, { outcome: 'quarantined', stopsAt: 'validation' }],
    ['sensors/known/third', '1', { outcome: 'quarantined', stopsAt: 'registry' }],
    ['lines/x', 'weather value=2.5', { outcome: 'quarantined', stopsAt: 'store' }],
    ['Sensors/known/level', '1', { outcome: 'not_ingested', stopsAt: 'topic' }],
    ['commands/fan/set', 'ON', { outcome: 'not_ingested', stopsAt: 'topic' }],
    ['sensors/known', JSON.stringify({ note: 'x'.repeat(4096) }), { outcome: 'refused', stopsAt: 'broker' }],
    ['sensors/+/level', '1', { outcome: 'refused', stopsAt: 'broker' }],
    [Array.from({ length: 65 }, () => 'a').join('/'), '1', { outcome: 'refused', stopsAt: 'broker' }],
  ])('message %# on %s', async (...message) => {
    await expectTold(platform, message);
  });

  it('says what is only marked, and what charts do not show', async () => {
    await ask(platform, 'sensors', { id: 'ranged', metrics: { level: { min: 0, max: 10 } } });
    const told = await expectTold(platform, [
      'sensors/ranged',
      '{"level": 11, "time": "2020-01-01T00:00:00Z"}',
      { outcome: 'stored', stopsAt: null },
    ]);
    const of = (step: string) => told.steps.find((one) => one.step === step);
    expect(of('quality')).toMatchObject({
      status: 'warned',
      message: expect.stringMatching(/^fails clock, range, /),
    });
    expect(of('query')).toMatchObject({
      status: 'warned',
      message: expect.stringMatching(/older than charts/),
    });
    expect(told.readings).toEqual([
      {
        id: 'ranged@1577836800000000000',
        sensor: 'ranged',
        location: null,
        time: '2020-01-01T00:00:00Z',
        level: 11,
      },
    ]);
  });

  it('says that no more sensors fit', async () => {
    const { sensors } = await contentsOf(platform);
    for (let n = sensors.length; n < 6; n++) await publish(platform, `sensors/filling-${n}/level`, '1');
    const told = await expectTold(platform, [
      'sensors/one-too-many/level',
      '1',
      { outcome: 'quarantined', stopsAt: 'registry' },
    ]);
    expect(told.rejected).toEqual([{ index: 0, code: 'too_many_sensors', detail: expect.anything() }]);
    expect(told.steps.filter(({ status }) => status === 'skipped').map(({ step }) => step)).toEqual([
      'quality',
      'spool',
      'store',
      'query',
    ]);
  });

  it('says which mapping reads it', async () => {
    const told = await trace(platform, 'zigbee2mqtt/attic', '{"temperature": 20.6}');
    expect(told.steps.find(({ step }) => step === 'topic')).toMatchObject({
      message: expect.stringContaining('mapping zigbee2mqtt'),
    });
  });

  it('pins no type', async () => {
    expect(await trace(platform, 'lines/x', 'unheard value=1i')).toMatchObject({ outcome: 'stored' });
    const response = await fetch(`${platform.httpUrl}/api/v2/write?bucket=tidemark`, {
      method: 'POST',
      body: 'unheard value=2.5',
    });
    expect(response.status).toBe(204);
    // On a busy machine the store may have it a moment later.
    await expect
      .poll(async () => (await trace(platform, 'lines/x', 'unheard value=1i')).stopsAt, { timeout: 20_000 })
      .toBe('store');
  });

  it('refuses what is no question', async () => {
    const post = (body: unknown) =>
      fetch(`${platform.httpUrl}/api/v1/trace`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
    for (const body of [
      {},
      { topic: 'a' },
      { topic: 'a', payload: '1', payloadBase64: 'MQ==' },
      { topic: 1 },
    ])
      expect((await post(body)).status).toBe(400);
  });
});

it('a strict registry stops whom it does not know', async () => {
  const dataDir = await tempDir();
  const platform = await startPlatform({ dataDir, env: { TIDEMARK_REGISTRY_MODE: 'strict' } });
  onTestFinished(async () => void (await platform.end('SIGTERM')));
  await ask(platform, 'sensors', { id: 'declared' });
  await expectTold(platform, ['sensors/other/level', '1', { outcome: 'quarantined', stopsAt: 'registry' }]);
  await expectTold(platform, ['sensors/declared/level', '1', { outcome: 'stored', stopsAt: null }]);
  await expectTold(platform, [
    'sensors/declared',
    '{"level": 1, "location": "elsewhere"}',
    { outcome: 'quarantined', stopsAt: 'registry' },
  ]);
});

it('a store that is down delays what is acknowledged', async () => {
  const dataDir = await tempDir();
  const influx = { INFLUX_URL: 'http://127.0.0.1:9', INFLUX_TOKEN: 'x', INFLUX_ORG: 'x', INFLUX_BUCKET: 'x' };
  const platform = await startPlatform({ dataDir, env: { TIDEMARK_STORE: 'influxdb', ...influx } });
  onTestFinished(async () => void (await platform.end('SIGTERM')));
  expect(await publish(platform, 'sensors/a/level', '1')).toBe(true);
  let told = await trace(platform, 'sensors/a/level', '2');
  // Until the first write has failed.
  while (told.outcome === 'stored') told = await trace(platform, 'sensors/a/level', '2');
  expect(told).toMatchObject({ outcome: 'delayed', stopsAt: 'store', rejected: [] });
  expect(told.steps.find(({ step }) => step === 'store')).toMatchObject({
    message: expect.stringContaining('bytes wait in the spool'),
    hint: expect.stringContaining('safe'),
  });
  const query = await fetch(`${platform.httpUrl}/api/v1/latest`);
  expect(query.status).toBe(503);
  expect(await publish(platform, 'sensors/a/level', '2')).toBe(true);
});

it('says who may publish', async () => {
  const { platform, created } = await startPlatformWithToken();
  const stepOf = async (user: string | undefined) => {
    const response = await fetch(`${platform.httpUrl}/api/v1/trace`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${created.token.token}` },
      body: JSON.stringify({ topic: 'sensors/a/level', payload: '1', user }),
    });
    const { outcome, stopsAt } = (await response.json()) as Trace;
    return { outcome, stopsAt };
  };
  const refused = { outcome: 'refused', stopsAt: 'access' };
  expect(await stepOf(undefined)).toEqual(refused);
  expect(await stepOf('someone')).toEqual(refused);
  expect(await stepOf(created.user.name)).toEqual({ outcome: 'stored', stopsAt: null });
  // Without credentials the connection really is refused.
  expect(await publish(platform, 'sensors/a/level', '1').catch(() => false)).toBe(false);
});
