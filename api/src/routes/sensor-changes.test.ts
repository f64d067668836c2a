import { TidemarkError } from '@tidemark/core';
import { expect, it, onTestFinished } from 'vitest';
import { startTestPlatform } from '../testing/test-platform.ts';

async function start() {
  const platform = await startTestPlatform();
  onTestFinished(() => platform.stop());
  const ask = async (method: string, path: string, body?: unknown) => {
    const response = await platform.app.request(`/api/v1${path}`, {
      method,
      ...(body !== undefined && {
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }),
    });
    return { status: response.status, text: await response.text() };
  };
  const lines = () =>
    platform.parts.audit.list({ limit: 10 }).map(({ action, target, counts, note }) => ({
      action,
      target,
      counts,
      note,
    }));
  return { ...platform, ask, lines };
}

it('every deletion leaves a line: what it was, how many values, and why', async () => {
  const { ask, lines } = await start();
  for (const id of ['kept', 'erased']) {
    await ask('POST', '/readings', [{ sensor: id, t: 1, u: 2, time: '2026-05-01T00:00:00Z' }]);
    await ask('POST', '/sensors', { id });
  }
  await ask('POST', '/locations', { id: 'hall' });
  expect((await ask('DELETE', '/sensors/kept')).status).toBe(200);
  expect((await ask('DELETE', '/sensors/erased?data=delete&note=it%20broke')).status).toBe(200);
  expect((await ask('DELETE', '/locations/hall?note=torn%20down')).status).toBe(204);
  // What is refused leaves none.
  expect((await ask('DELETE', '/sensors/erased')).status).toBe(404);
  expect((await ask('DELETE', '/locations/hall')).status).toBe(404);
  expect(lines()).toEqual([
    { action: 'location.delete', target: { id: 'hall' }, counts: { locations: 1 }, note: 'torn down' },
    {
      action: 'sensor.delete',
      target: { id: 'erased', data: 'deleted' },
      counts: { sensors: 1, points: 2 },
      note: 'it broke',
    },
    {
      action: 'sensor.delete',
      target: { id: 'kept', data: 'kept' },
      counts: { sensors: 1, points: 2 },
      note: undefined,
    },
  ]);
});

it('a deletion that the store cuts short leaves a line without counts, and the sensor', async () => {
  const { ask, lines, parts } = await start();
  await ask('POST', '/sensors', { id: 'probe' });
  parts.history.remove = async () => {
    throw new TidemarkError('store_unavailable', 'the store is down', { retryable: true });
  };
  expect((await ask('DELETE', '/sensors/probe?data=delete')).status).toBe(503);
  expect(lines()).toMatchObject([{ action: 'sensor.delete', counts: {} }]);
  expect((await ask('GET', '/sensors/probe')).status).toBe(200);
});

it('a rename takes a note, and refuses parameters that there are not', async () => {
  const causes: unknown[] = [];
  const { ask, parts } = await start();
  const { rename } = parts.history;
  parts.history.rename = (from, to, cause) => {
    causes.push(cause);
    return rename(from, to, cause);
  };
  await ask('POST', '/sensors', { id: 'old' });
  expect((await ask('POST', '/sensors/old/rename?nte=x', { id: 'new' })).status).toBe(400);
  expect((await ask('POST', '/sensors/old/rename?note=moved', { id: 'new' })).status).toBe(200);
  expect(causes).toEqual([{ actor: 'local', note: 'moved' }]);
});
