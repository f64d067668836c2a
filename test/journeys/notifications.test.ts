import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { type PlatformProcess, runTidemark, startPlatform } from '../support/platform-process.ts';
import { RawMqtt } from '../support/raw-mqtt.ts';
import { tempDir } from '../support/temp-dir.ts';
import { startWebhookServer } from '../support/webhook-server.ts';

const SENSORS = 10;

it('kill -9 between an alert and its delivery: every notification comes, and again only with the same key', async () => {
  let hangs = false;
  const { url, calls } = await startWebhookServer((response) => {
    if (!hangs) response.end();
  });
  const dataDir = await tempDir();
  const settings = {
    rules: [{ id: 'too-hot', metric: 'temperature', above: 30, notify: ['ops'] }],
    channels: { ops: { type: 'webhook', url, headers: { authorization: 'Bearer not-to-be-shown' } } },
    notifications: { privateHosts: ['127.0.0.1'] },
  };
  const config = join(dataDir, 'tidemark.yaml');
  await writeFile(config, JSON.stringify(settings));
  let platform: PlatformProcess | undefined;
  onTestFinished(async () => void (await platform?.end('SIGKILL')));
  const start = async () => startPlatform({ dataDir, env: { TIDEMARK_CONFIG: config } });

  for (const [round, temperature] of [31, 20, 32, 21].entries()) {
    hangs = round % 2 === 0;
    const before = calls.length;
    platform = await start();
    const client = await RawMqtt.connect(platform.mqttUrl, 'device');
    for (let sensor = 0; sensor < SENSORS; sensor += 1)
      client.publish(`sensors/s${sensor}/temperature`, String(temperature), { messageId: sensor + 1 });
    await client.until((packet) => packet.cmd === 'puback' && packet.messageId === SENSORS);
    // One at least is on its way; the rest is somewhere between the log and there.
    await expect.poll(() => calls.length, { interval: 1 }).toBeGreaterThan(before);
    await platform.end('SIGKILL');
  }

  hangs = false;
  platform = await start();
  const items = async (path: string) => {
    const answer = await fetch(`${platform!.httpUrl}/api/v1/${path}`);
    return ((await answer.json()) as { items: Record<string, unknown>[] }).items;
  };
  const told = async () => (await items('alerts/history?limit=1000')).filter(({ notifies }) => notifies);
  await expect.poll(async () => (await told()).length, { timeout: 20_000 }).toBe(4 * SENSORS);
  await expect.poll(() => items('notifications'), { timeout: 20_000 }).toEqual([]);
  const bodies = new Map<string, Set<string>>();
  for (const { key, body } of calls) bodies.set(key, (bodies.get(key) ?? new Set()).add(body));
  expect([...bodies.keys()].sort()).toEqual((await told()).map(({ key }) => `${key}:ops`).sort());
  expect([...bodies.values()].every(({ size }) => size === 1)).toBe(true);
  expect(calls.length).toBeGreaterThan(4 * SENSORS);
});

it('channels are read again when the file changes; what was refused is sent again by hand, and turns no health red', async () => {
  const bad = await startWebhookServer((response) => void response.writeHead(404).end());
  const good = await startWebhookServer();
  const dataDir = await tempDir();
  const config = join(dataDir, 'tidemark.yaml');
  const write = (channels: object) =>
    writeFile(config, JSON.stringify({ channels, notifications: { privateHosts: ['127.0.0.1'] } }));
  await write({ ops: { type: 'webhook', url: bad.url }, gone: { type: 'mqtt', topic: 'gone' } });
  const platform = await startPlatform({ dataDir, env: { TIDEMARK_CONFIG: config } });
  onTestFinished(async () => void (await platform.end('SIGKILL')));
  const { httpUrl } = platform;
  const tidemark = async (...words: string[]) => {
    const { code, stdout, stderr } = await runTidemark([...words, '--url', httpUrl]);
    return { code, text: `${stdout}${stderr}` };
  };

  const alert = { rule: 'pump-check', sensor: 'pump-1', notify: ['ops'] };
  const headers = { 'content-type': 'application/json' };
  const raised = await fetch(`${httpUrl}/api/v1/alerts`, {
    method: 'POST',
    headers,
    body: JSON.stringify(alert),
  });
  expect(raised.status).toBe(200);
  const quarantined = async () => (await tidemark('notifications', 'quarantined')).text;
  await expect.poll(quarantined).toMatch(/ops +pump-check:pump-1 +quarantined .* refused +answered 404/);
  expect(await tidemark('notifications', 'test', 'ops')).toMatchObject({
    code: 1,
    text: expect.stringContaining('ops has not taken it: answered 404'),
  });
  for (const path of ['health', 'ready']) {
    const answer = await fetch(`${httpUrl}/${path}`);
    const { checks } = (await answer.json()) as { checks: object[] };
    expect(answer.status).toBe(200);
    // A refusal for good is no longer waited for, so that the channel is well again; the quarantine tells of it.
    expect(checks).toContainEqual({ name: 'notify ops', status: 'pass', message: 'delivering' });
  }

  await write({ ops: { type: 'webhook', url: good.url } });
  const channels = async () => (await tidemark('notifications', 'channels')).text;
  await expect.poll(channels, { timeout: 20_000 }).not.toContain('gone');
  expect(await tidemark('notifications', 'test', 'ops')).toMatchObject({ code: 0 });
  expect(await tidemark('notifications', 'replay')).toMatchObject({ code: 1 });
  expect((await tidemark('notifications', 'replay', '--all')).text).toBe('1 wait again\n');
  await expect.poll(() => good.calls.length).toBe(2);
  expect(good.calls.map(({ body }) => (JSON.parse(body) as { rule: string }).rule)).toEqual([
    'test',
    'pump-check',
  ]);
  expect(good.calls[1]!.key).toBe(bad.calls[0]!.key);
  expect((await tidemark('notifications', 'discard', '--channel', 'ops')).text).toBe('0 discarded\n');
  await tidemark('alerts', 'ack', 'pump-check:pump-1', '--by', 'ann', '--comment', 'on my way');
  expect((await tidemark('audit')).text).toMatch(
    /alert.acknowledge.*pump-check:pump-1.*\n(.*\n)*.*notification.replay.*\n(.*\n)*.*channel.test/,
  );

  await write({ ops: { type: 'pigeon' } });
  const fileFault = async () => {
    const { checks } = (await (await fetch(`${httpUrl}/health`)).json()) as { checks: { name: string }[] };
    return checks.find(({ name }) => name === 'rules file');
  };
  await expect
    .poll(fileFault, { timeout: 20_000 })
    .toMatchObject({ status: 'fail', message: expect.stringContaining('channels.ops') });
  expect(await channels()).toContain('webhook');
});
