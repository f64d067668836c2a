import { expect, it, onTestFinished } from 'vitest';
import { type PlatformProcess, runTidemark, startPlatform } from '../support/platform-process.ts';
import { RawMqtt } from '../support/raw-mqtt.ts';
import { tempDir } from '../support/temp-dir.ts';

let platform: PlatformProcess;

interface List {
  items: Record<string, unknown>[];
}

async function get(path: string): Promise<List> {
  const response = await fetch(`${platform.httpUrl}/api/v1/${path}`);
  expect(response.status).toBe(200);
  return (await response.json()) as List;
}

async function metric(name: string): Promise<number> {
  const text = await (await fetch(`${platform.httpUrl}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1]);
}

it('what fails a check is stored all the same, and counted once by sensor and check, over a kill -9 too', async () => {
  const dataDir = await tempDir();
  platform = await startPlatform({ dataDir });
  onTestFinished(async () => void (await platform.end('SIGTERM')));
  const declared = await fetch(`${platform.httpUrl}/api/v1/sensors`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ id: 'boiler', metrics: { temperature: { max: 95 } }, owner: 'ann' }),
  });
  expect(declared.status).toBe(201);
  const client = await RawMqtt.connect(platform.mqttUrl, 'quality');
  let sent = 0;
  const publish = async (topic: string, payload: object | string) => {
    const messageId = ++sent;
    client.publish(topic, typeof payload === 'string' ? payload : JSON.stringify(payload), { messageId });
    await client.until((packet) => packet.cmd === 'puback' && packet.messageId === messageId);
  };
  for (const temperature of [90, 96, 97]) await publish('sensors/boiler', { temperature });
  const dayAgo = Math.floor(Date.now() / 1000) - 86_400;
  await publish('sensors/rover', { lat: 95, lon: 10, time: dayAgo });
  await publish('sensors/rover', { lat: 95, lon: 10, time: dayAgo });
  await publish('lines/x', 'quality,sensor=boiler,check=range count="many"');

  const expected = [
    ['boiler', 'range', 2],
    ['rover', 'clock', 2],
    ['rover', 'duplicate', 1],
    ['rover', 'latitude', 2],
  ];
  const counted = async () =>
    (await get('quality')).items.map(({ sensor, check, count }) => [sensor, check, count]);
  await expect.poll(counted, { timeout: 20_000 }).toEqual(expected);
  expect((await get('latest?sensor=boiler')).items[0]).toMatchObject({ value: 97 });
  expect(await metric('tidemark_quality_failures_total{check="range"}'.replace(/[{}]/g, '\\$&'))).toBe(2);
  expect((await get('quarantine')).items).toMatchObject([{ reason: 'reserved_measurement' }]);

  client.socket.destroy();
  await platform.end('SIGKILL');
  platform = await startPlatform({ dataDir });
  await expect.poll(counted, { timeout: 20_000 }).toEqual(expected);
  const asked = [
    'quality',
    '--url',
    platform.httpUrl,
    '--sensor',
    'boiler,none',
    '--check',
    'range',
    '--csv',
  ];
  const { code, stdout } = await runTidemark(asked);
  expect([code, stdout.split('\n').slice(0, 2)]).toEqual([
    0,
    ['sensor,check,count,first,last', expect.stringMatching(/^boiler,range,2,20/)],
  ]);
});
