import { setTimeout as delay } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { allReadings } from '../support/all-readings.ts';
import { type PlatformProcess, runTidemark, startPlatform } from '../support/platform-process.ts';
import { RawMqtt } from '../support/raw-mqtt.ts';
import { tempDir } from '../support/temp-dir.ts';

interface Item {
  id: string;
  time: string;
  reason: string;
  sensor: string;
}

const strict = { TIDEMARK_REGISTRY_MODE: 'strict', TIDEMARK_MAX_FIELDS_PER_READING: '2' };

async function start(dataDir: string, env: Record<string, string> = {}): Promise<PlatformProcess> {
  const platform = await startPlatform({ dataDir, env });
  onTestFinished(async () => void (await platform.end('SIGTERM')));
  return platform;
}

/** Publishes one message after another by QoS 1; resolves when all are acknowledged. */
async function publish(
  { mqttUrl }: PlatformProcess,
  messages: [topic: string, payload: string][],
): Promise<void> {
  const connection = await RawMqtt.connect(mqttUrl, 'device');
  messages.forEach(([topic, payload], index) => {
    connection.publish(topic, payload, { messageId: index + 1 });
  });
  await connection.until(({ cmd, messageId }) => cmd === 'puback' && messageId === messages.length);
  connection.end();
}

const cli = (platform: PlatformProcess, ...args: string[]) =>
  runTidemark(args, { env: { TIDEMARK_URL: platform.httpUrl } });

async function itemsOf(platform: PlatformProcess, count: number): Promise<Item[]> {
  const list = async (): Promise<Item[]> => {
    const { stdout } = await cli(platform, 'quarantine', 'list', '--json', '--limit', '1000');
    return (JSON.parse(stdout) as { items: Item[] }).items;
  };
  await expect.poll(async () => (await list()).length, { timeout: 30_000 }).toBe(count);
  return list();
}

it('bad readings are listed, their cause mended, replayed with their own time, discarded, and audited', async () => {
  const dataDir = await tempDir();
  const first = await start(dataDir, strict);
  await publish(first, [
    ['sensors/new-1', '{"temperature": 21.5}'],
    ['sensors/new-1', '{"a": 1, "b": 2, "c": 3, "time": "2026-05-01T12:00:00Z"}'],
    ['sensors/new-2/humidity', '40'],
    ['sensors/new-1/temperature', 'warm'],
    ['sensors/broken', 'x\u0000'],
  ]);
  const items = await itemsOf(first, 5);
  expect(items.map(({ reason }) => reason).sort()).toEqual([
    'malformed_json',
    'malformed_json',
    'too_many_fields',
    'unknown_sensor',
    'unknown_sensor',
  ]);
  const byTopic = await cli(first, 'quarantine', 'list', '--topic', 'sensors/new-1/temperature');
  expect(byTopic.stdout.split('\n')[1]).toMatch(/malformed_json +warm$/);
  const broken = items.find(({ sensor }) => sensor === 'broken')!;
  expect((await cli(first, 'quarantine', 'show', broken.id)).stdout).toMatch(
    /reason: +malformed_json[\s\S]*\nhex: 7800\n$/,
  );

  // Nothing is mended yet: it stays, once.
  const early = await cli(first, 'quarantine', 'replay', '--all', '--json');
  expect([early.code, JSON.parse(early.stdout)]).toEqual([
    1,
    expect.objectContaining({ replayed: 0, refused: 5 }),
  ]);
  await itemsOf(first, 5);
  await first.end('SIGTERM');

  // The limit is raised, and one of the sensors registered.
  const second = await start(dataDir, { TIDEMARK_REGISTRY_MODE: 'strict' });
  const registered = await fetch(`${second.httpUrl}/api/v1/sensors`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ id: 'new-1' }),
  });
  expect(registered.status).toBe(201);
  expect(await cli(second, 'quarantine', 'replay', '--sensor', 'new-2')).toMatchObject({
    code: 1,
    stdout: '0 replayed\n',
    stderr: 'tidemark: 1 refused again (unknown_sensor 1); they stay in the quarantine\n',
  });
  const mended = items.find(({ reason, sensor }) => reason === 'malformed_json' && sensor === 'new-1')!;
  expect(await cli(second, 'quarantine', 'replay', mended.id, '--payload', '19.5')).toMatchObject({
    code: 0,
  });
  const note = ['--note', 'the sensor is registered'];
  expect(await cli(second, 'quarantine', 'replay', '--sensor', 'new-1', ...note)).toMatchObject({
    code: 0,
    stdout: '2 replayed\n',
  });

  const given = items.find(({ reason, sensor }) => reason === 'unknown_sensor' && sensor === 'new-1')!;
  const stored = await allReadings(second.httpUrl, 'sensor=new-1');
  expect(stored.map(({ time, id, sensor, location, ...values }) => [time, values])).toEqual([
    ['2026-05-01T12:00:00Z', { a: 1, b: 2, c: 3 }],
    [given.time, { temperature: 21.5 }],
    [mended.time, { temperature: 19.5 }],
  ]);

  // Without a terminal, many are discarded only by --yes.
  expect(await cli(second, 'quarantine', 'discard', '--reason', 'malformed_json')).toMatchObject({ code: 2 });
  expect(await cli(second, 'quarantine', 'discard', '--reason', 'malformed_json', '--yes')).toMatchObject({
    code: 0,
    stdout: '1 discarded\n',
  });
  expect((await itemsOf(second, 1))[0]).toMatchObject({ sensor: 'new-2' });
  const audit = JSON.parse((await cli(second, 'audit', '--json')).stdout) as {
    items: Record<string, unknown>[];
  };
  expect(audit.items.map(({ action, target, counts, note: why }) => [action, target, counts, why])).toEqual([
    ['quarantine.discard', { reason: 'malformed_json' }, { discarded: 1 }, null],
    ['quarantine.replay', { sensor: 'new-1' }, { replayed: 2, refused: 0 }, 'the sensor is registered'],
    ['quarantine.replay', { id: mended.id, payload: 'changed' }, { replayed: 1, refused: 0 }, null],
    ['quarantine.replay', { sensor: 'new-2' }, { replayed: 0, refused: 1 }, null],
    ['quarantine.replay', {}, { replayed: 0, refused: 5 }, null],
  ]);
}, 120_000);

it('kill -9 in the middle of a replay leaves the rest, and costs and doubles nothing', async () => {
  const COUNT = 3000;
  const dataDir = await tempDir();
  const first = await start(dataDir, { TIDEMARK_MAX_FIELDS_PER_READING: '1' });
  const messages = Array.from({ length: COUNT }, (_, n): [string, string] => [
    'sensors/s',
    `{"a": ${n}, "b": 0}`,
  ]);
  await publish(first, messages);
  const total = async ({ httpUrl }: PlatformProcess): Promise<number> =>
    ((await (await fetch(`${httpUrl}/api/v1/quarantine/summary`)).json()) as { count: number }).count;
  await expect.poll(() => total(first), { timeout: 30_000 }).toBe(COUNT);
  await first.end('SIGTERM');

  const second = await start(dataDir);
  const replayAll = ({ httpUrl }: PlatformProcess): Promise<Response> =>
    fetch(`${httpUrl}/api/v1/quarantine/replay?limit=10000`, { method: 'POST' });
  const cut = replayAll(second).catch(() => {});
  while ((await total(second)) === COUNT) await delay(1);
  await second.end('SIGKILL');
  await cut;

  const third = await start(dataDir);
  const left = await total(third);
  expect(left).toBeLessThan(COUNT);
  expect(await (await replayAll(third)).json()).toMatchObject({ replayed: left, refused: 0, left: 0 });
  const stored = await allReadings(third.httpUrl, 'sensor=s');
  expect(stored.map(({ a }) => a).sort((one, other) => Number(one) - Number(other))).toEqual(
    messages.map((_, n) => n),
  );
}, 120_000);
