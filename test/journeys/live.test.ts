import { expect, it } from 'vitest';
import { LiveStream } from '../support/live-stream.ts';
import { startPlatform } from '../support/platform-process.ts';
import { RawMqtt } from '../support/raw-mqtt.ts';
import { tempDir } from '../support/temp-dir.ts';

const COUNT = 2000;

async function publish(mqttUrl: string, from: number, to: number): Promise<void> {
  const connection = await RawMqtt.connect(mqttUrl, 'publisher');
  for (let n = from; n < to; n++)
    connection.publish('sensors/live/n', String(n), { messageId: n - from + 1 });
  await connection.until((packet) => packet.cmd === 'puback' && packet.messageId === to - from);
  connection.end();
}

it('a live client that is cut off and resumes sees every reading once, in order, also across a restart', async () => {
  const dataDir = await tempDir();
  let platform = await startPlatform({ dataDir });
  const first = new LiveStream(`${platform.httpUrl}/api/v1/live?sensor=live`);
  first.lastEventId = '0';
  await Promise.all([first.readUntil(700), publish(platform.mqttUrl, 0, COUNT)]);
  expect(first.readings).toHaveLength(700);
  await first.readUntil(1200);

  await platform.end('SIGKILL');
  platform = await startPlatform({ dataDir });
  const restarted = new LiveStream(`${platform.httpUrl}/api/v1/live?sensor=live`);
  restarted.lastEventId = first.lastEventId!;
  await restarted.readUntil(500);
  await Promise.all([restarted.readUntil(COUNT - 1200 + 300), publish(platform.mqttUrl, COUNT, COUNT + 300)]);
  await platform.end('SIGTERM');

  const seen = [...first.readings, ...restarted.readings];
  expect(seen.map(({ n }) => n)).toEqual(Array.from({ length: COUNT + 300 }, (_, n) => n));
  expect(new Set(seen.map(({ id }) => id)).size).toBe(seen.length);
  expect([...first.gaps, ...restarted.gaps]).toEqual([]);
});
