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

describe('GET /ready and /ping', () => {
  it('tell serving from being up', async () => {
    let isReady = false;
    platform = await startTestPlatform({ isReady: () => isReady });
    expect((await platform.app.request('/ping')).status).toBe(204);
    const waiting = await platform.app.request('/ready');
    expect(waiting.status).toBe(503);
    expect(await waiting.json()).toMatchObject({ code: 'unavailable' });
    isReady = true;
    expect((await platform.app.request('/ready')).status).toBe(200);
  });
});
