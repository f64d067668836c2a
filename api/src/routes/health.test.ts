import { afterEach, describe, expect, it } from 'vitest';
import { startTestPlatform } from '../testing/test-platform.ts';

let platform: Awaited<ReturnType<typeof startTestPlatform>>;
afterEach(() => platform.stop());

describe('GET /health', () => {
  it("has InfluxDB's shape", async () => {
    platform = await startTestPlatform();
    const response = await platform.app.request('/health');
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({
      name: 'tidemark',
      message: 'ready for queries and writes',
      status: 'pass',
      checks: [{ name: 'store', status: 'pass', message: 'embedded store' }],
      version: '0.0.0-test',
    });
  });

  it('fails with 503 and names the part that failed', async () => {
    platform = await startTestPlatform({
      health: async () => [
        { name: 'broker', status: 'pass', message: 'listening' },
        { name: 'store', status: 'fail', message: 'unreachable' },
      ],
    });
    const response = await platform.app.request('/health');
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ status: 'fail', message: 'failed: store' });
  });
});

it('what fails outside of the platform turns neither red', async () => {
  const checks = [{ name: 'notify ops', status: 'warn', message: 'answered 500' }] as const;
  platform = await startTestPlatform({ health: async () => [...checks], localHealth: () => [...checks] });
  const health = await platform.app.request('/health');
  expect(health.status).toBe(200);
  expect(await health.json()).toMatchObject({ status: 'pass', checks });
  const ready = await platform.app.request('/ready');
  expect(await ready.json()).toEqual({ status: 'ready', failed: [], checks });
});

describe('GET /ready and /ping', () => {
  it('tell serving from being up', async () => {
    let isReady = false;
    platform = await startTestPlatform({ isReady: () => isReady });
    const ping = await platform.app.request('/ping');
    expect(ping.status).toBe(204);
    expect(ping.headers.get('x-influxdb-version')).toBe('1.8.10-tidemark.0.0.0-test');
    const waiting = await platform.app.request('/ready');
    expect(waiting.status).toBe(503);
    expect(await waiting.json()).toMatchObject({ code: 'unavailable' });
    isReady = true;
    expect((await platform.app.request('/ready')).status).toBe(200);
  });

  it('stays ready without the store, and says what is out', async () => {
    const checks = [
      { name: 'spool', status: 'pass', message: 'accepting' },
      { name: 'store', status: 'fail', message: 'InfluxDB: no answer in time' },
    ] as const;
    platform = await startTestPlatform({ localHealth: () => [...checks] });
    const response = await platform.app.request('/ready');
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ status: 'ready', failed: ['store'], checks });
  });

  it('is not ready when no reading can be taken, and says why to those who may know', async () => {
    const localHealth = () => [{ name: 'spool', status: 'fail', message: 'no space left' } as const];
    platform = await startTestPlatform({ localHealth });
    const response = await platform.app.request('/ready');
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({
      detail: 'no readings are taken now: spool: no space left',
    });
    await platform.stop();

    const access = {
      isRequired: true,
      checkUser: async () => true,
      knowsUser: () => true,
      checkToken: () => false,
      tokenName: () => undefined,
    };
    platform = await startTestPlatform({ localHealth, access });
    const { detail } = (await (await platform.app.request('/ready')).json()) as { detail: string };
    expect(detail).toBe('no readings are taken now: spool');
  });
});
