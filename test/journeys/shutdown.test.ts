import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { allReadings } from '../support/all-readings.ts';
import { startPlatform } from '../support/platform-process.ts';
import { RawMqtt } from '../support/raw-mqtt.ts';
import { tempDir } from '../support/temp-dir.ts';

/** The platform promises 5 s; a test that must not depend on the machine allows more, and none is needed. */
const STOP_LIMIT_MS = 15_000;

it.each(['SIGINT', 'SIGTERM'] as const)(
  '%s writes out what is pending, leaves no child and ends with 0',
  async (signal) => {
    const dataDir = await tempDir();
    const platform = await startPlatform({ dataDir, env: { TIDEMARK_BATCH_AGE_MS: '60000' } });
    const connection = await RawMqtt.connect(platform.mqttUrl, 'pending');
    const live = await fetch(`${platform.httpUrl}/api/v1/live`);
    for (let n = 1; n <= 500; n++)
      connection.publish('sensors/pending', JSON.stringify({ n }), { messageId: n });
    await connection.until((packet) => packet.cmd === 'puback' && packet.messageId === 500);
    const stopped = await Promise.race([platform.end(signal), delay(STOP_LIMIT_MS, 'still running')]);
    expect(stopped).toBe(0);
    expect(childrenOf(platform.child.pid!)).toEqual([]);
    await live.body?.cancel().catch(() => {});

    // The batch was a minute from being written: the stop wrote it, and the log's cursor says so.
    const cursors = JSON.parse(readFileSync(`${dataDir}/spool/cursors.json`, 'utf8')) as { store: number };
    const segments = readdirSync(`${dataDir}/spool`).filter((name) => name.endsWith('.seg'));
    const newest = segments.sort().at(-1)!;
    expect(cursors.store).toBe(
      Number(newest.slice(0, -4)) + readFileSync(`${dataDir}/spool/${newest}`).length,
    );
    const again = await startPlatform({ dataDir });
    const stored = await allReadings(again.httpUrl);
    expect(stored.map(({ n }) => n).sort((a, b) => Number(a) - Number(b))).toEqual(
      Array.from({ length: 500 }, (_, n) => n + 1),
    );
    await again.end('SIGTERM');
  },
);

it('ends although InfluxDB takes connections and never answers, and has kept what it acknowledged', async () => {
  const dataDir = await tempDir();
  const silent = createServer().listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const { port } = silent.address() as AddressInfo;
  const env = { TIDEMARK_STORE: 'influxdb', INFLUX_URL: `http://127.0.0.1:${port}`, INFLUX_TOKEN: 'any' };
  const platform = await startPlatform({ dataDir, env });
  const connection = await RawMqtt.connect(platform.mqttUrl, 'pending');
  const asked = once(silent, 'connection');
  connection.publish('sensors/pending', '{"n": 1}');
  await connection.until(({ cmd }) => cmd === 'puback');
  await asked;
  const stopped = await Promise.race([platform.end('SIGTERM'), delay(STOP_LIMIT_MS, 'still running')]);
  expect(stopped).toBe(0);
  silent.close();

  const again = await startPlatform({ dataDir });
  await expect.poll(async () => (await allReadings(again.httpUrl)).map(({ n }) => n)).toEqual([1]);
  await again.end('SIGTERM');
});

it('ends although the brokers that it takes readings from take connections and never answer', async () => {
  const silent = createServer().listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const { port } = silent.address() as AddressInfo;
  const env = { TIDEMARK_MQTT_URL: `mqtt://127.0.0.1:${port}`, TIDEMARK_KAFKA_BROKERS: `127.0.0.1:${port}` };
  const asked = Promise.all([once(silent, 'connection'), once(silent, 'connection')]);
  const platform = await startPlatform({ dataDir: await tempDir(), env });
  await asked;
  const stopped = await Promise.race([platform.end('SIGTERM'), delay(STOP_LIMIT_MS, 'still running')]);
  expect(stopped).toBe(0);
  silent.close();
});

function childrenOf(pid: number): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        return readFileSync(`/proc/${name}/stat`, 'utf8').split(') ')[1]!.split(' ')[1] === String(pid);
      } catch {
        return false;
      }
    });
}
