import { createServer } from 'node:net';
import { connectAsync } from 'mqtt';
import { expect, it, onTestFinished, vi } from 'vitest';
import { startPlatform } from '../support/platform-process.ts';
import { tempDir } from '../support/temp-dir.ts';

interface Service {
  service: string;
  state: 'up' | 'down';
}

/** An alert follows a state within a second, on a machine that has time. */
const patience = { timeout: 30_000, interval: 200 };

it('watches services by MQTT and HTTP, and addresses; down and up are alerts, once each', async () => {
  const listener = createServer((socket) => socket.end());
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const { port } = listener.address() as { port: number };
  const platform = await startPlatform({
    dataDir: await tempDir(),
    env: {
      TIDEMARK_HEARTBEATS_EVERY_MS: '1000',
      TIDEMARK_HEARTBEATS_CHECKS: `gateway=tcp://127.0.0.1:${port}`,
    },
  });
  onTestFinished(async () => {
    listener.close();
    await platform.end('SIGTERM');
  });
  const get = async <T>(path: string): Promise<T[]> => {
    const response = await fetch(`${platform.httpUrl}/api/v1/${path}`);
    return ((await response.json()) as { items: T[] }).items;
  };
  const states = async () => {
    const services = await get<Service>('heartbeats');
    return Object.fromEntries(services.map(({ service, state }) => [service, state]));
  };

  const client = await connectAsync(platform.mqttUrl);
  await client.publishAsync('heartbeats/by-mqtt', '{"latency_ms": 2, "timeout_ms": 1000}', { qos: 1 });
  await client.endAsync();
  const beat = () =>
    fetch(`${platform.httpUrl}/api/v1/heartbeats`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ service: 'by-http', timeoutMs: 600_000 }),
    });
  expect((await beat()).status).toBe(200);

  listener.close();
  await vi.waitFor(
    async () =>
      expect(await states()).toMatchObject({
        'by-http': 'up',
        'by-mqtt': 'down',
        gateway: 'down',
        'tidemark.broker': 'up',
        'tidemark.grpc': 'up',
      }),
    patience,
  );
  await vi.waitFor(async () => {
    const alerts = await get<{ id: string; state: string }>('alerts');
    const down = alerts.filter(({ state }) => state === 'firing').map(({ id }) => id);
    expect(down.sort()).toEqual(['service-down:by-mqtt', 'service-down:gateway']);
  }, patience);

  await new Promise<void>((resolve) => listener.listen(port, '127.0.0.1', resolve));
  await vi.waitFor(async () => expect(await states()).toMatchObject({ gateway: 'up' }), patience);
  await vi.waitFor(async () => {
    const history = await get<{ alert: string; state: string }>('alerts/history');
    const ofGateway = history.filter((change) => JSON.stringify(change).includes('service-down:gateway'));
    expect(ofGateway.map(({ state }) => state)).toEqual(['resolved', 'firing']);
  }, patience);
  const query = encodeURIComponent("SELECT count(up) FROM heartbeats WHERE service = 'by-mqtt'");
  const answer = await (await fetch(`${platform.httpUrl}/query?db=tidemark&q=${query}`)).json();
  expect(answer).toMatchObject({ results: [{ series: [{ values: [[expect.anything(), 2]] }] }] });
});
