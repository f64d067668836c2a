import { TidemarkError } from '@tidemark/core';
import { expect, it, onTestFinished } from 'vitest';
import { askerOf } from '../testing/ask.ts';
import { startTestPlatform } from '../testing/test-platform.ts';

async function start() {
  const platform = await startTestPlatform();
  onTestFinished(() => platform.stop());
  const ask = askerOf(platform.app);
  const lines = () =>
    platform.parts.audit.list({ limit: 10 }).map(({ action, target, counts, note }) => ({
      action,
      target,
      counts,
      note,
    }));
  return { ...platform, ask, lines };
}

function send(ask: ReturnType<typeof askerOf>, sensor: string) {
  return ask('POST', '/readings', [
    { sensor, t: 1, u: 2, time: '2026-05-01T00:00:00Z' },
    { sensor, t: 3, text: 'x', time: '2026-05-02T00:00:00Z' },
  ]);
}

it('says what became of its data', async () => {
  const { ask } = await start();
  for (const id of ['gone', 'erased']) {
    await ask('POST', '/sensors', { id });
    await send(ask, id);
  }
  const { etag } = await ask('GET', '/sensors/gone');
  expect((await ask('DELETE', '/sensors/gone', undefined, { 'if-match': '"x"' })).status).toBe(412);
  expect((await ask('DELETE', '/sensors/gone', undefined, { 'if-match': etag })).json).toEqual({
    id: 'gone',
    data: 'kept',
    points: 4,
  });
  expect((await ask('DELETE', '/sensors/erased?data=delete')).json).toEqual({
    id: 'erased',
    data: 'deleted',
    points: 4,
  });
  expect((await ask('DELETE', '/sensors/erased')).status).toBe(404);
  expect((await ask('GET', '/readings?sensor=gone')).json.count).toBe(2);
  expect((await ask('GET', '/readings?sensor=erased')).json.count).toBe(0);
});

it('by another name is none: its history goes with it', async () => {
  const { ask } = await start();
  await ask('POST', '/sensors', { id: 'first', owner: 'me' });
  await send(ask, 'first');
  const { status, json } = await ask('POST', '/sensors/first/rename', { id: 'second' });
  expect(status).toBe(200);
  expect(json).toMatchObject({ id: 'second', formerIds: ['first'], owner: 'me' });
  expect((await ask('GET', '/readings?sensor=second')).json.count).toBe(2);
  expect((await ask('GET', '/sensors/first')).json.id).toBe('second');
  expect((await ask('POST', '/sensors', { id: 'first' })).status).toBe(409);
  await ask('POST', '/sensors', { id: 'taken' });
  expect((await ask('POST', '/sensors/second/rename', { id: 'taken' })).json.code).toBe('conflict');
  expect((await ask('POST', '/sensors/second/rename', { id: 'a/b' })).json.errors).toMatchObject([
    { path: 'id' },
  ]);
  // The store still has data of `gone`, that nobody is to be mixed up with.
  await send(ask, 'gone');
  await ask('DELETE', '/sensors/gone');
  await send(ask, 'second');
  expect((await ask('POST', '/sensors/second/rename', { id: 'gone' })).status).toBe(409);
});

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

it('a rename that is not done, or was refused, is shown at the sensor', async () => {
  const { ask, parts } = await start();
  await ask('POST', '/sensors', { id: 'old' });
  expect((await ask('GET', '/sensors/old')).json).not.toHaveProperty('rename');
  parts.history.renameOf = (id) => ({ to: `${id}-new`, state: 'refused', reason: 'the store has both' });
  const { json, etag } = await ask('GET', '/sensors/old');
  expect(json.rename).toEqual({ to: 'old-new', state: 'refused', reason: 'the store has both' });
  // What was answered can be sent back.
  expect((await ask('PUT', '/sensors/old', json, { 'if-match': etag })).status).toBe(200);
});
