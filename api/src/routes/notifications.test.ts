import { type Notification, type Notifications, TidemarkError } from '@tidemark/core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { askerOf } from '../testing/ask.ts';
import { startTestPlatform } from '../testing/test-platform.ts';

const content = {
  id: 'too-hot:s1',
  rule: 'too-hot',
  sensor: 's1',
  metric: 'temperature',
  location: null,
  state: 'firing',
  value: 31,
  severity: 'warning',
  message: 's1 is at 31',
  since: '2026-05-01T12:00:00Z',
  time: '2026-05-01T12:02:00Z',
  ends: '9999-12-31T23:59:59Z',
  by: null,
  comment: null,
  key: 'k:ops',
} satisfies Notification['content'];
const waiting: Notification = {
  id: '1',
  key: 'k:ops',
  channel: 'ops',
  content,
  attempts: 2,
  createdNs: 1_777_000_000_000_000_000n,
  nextNs: 1_777_000_004_000_000_000n,
  reason: undefined,
  detail: 'answered 500',
};
const given: Notification = { ...waiting, id: '2', reason: 'refused', detail: 'answered 404' };

/** Remembers what it was asked. */
const calls: unknown[] = [];
const desk: Notifications = {
  channels: () => new Map([['ops', 'webhook']]),
  test: async (channel) => {
    if (channel === 'ops') return 'answered 404';
    throw new TidemarkError('not_found', `there is no channel ${channel}`);
  },
  list: ({ limit, after = 0, ...filter }) => {
    calls.push(['list', filter]);
    return [waiting, given].filter(({ id }) => Number(id) > after).slice(0, limit);
  },
  get: (id) => [waiting, given].find((one) => one.id === id),
  counts: () => [{ channel: 'ops', reason: undefined, count: 1 }],
  replay: (...asked) => {
    calls.push(['replay', ...asked]);
    return asked[0].id === '1' ? 0 : 1;
  },
  discard: (...asked) => {
    calls.push(['discard', ...asked]);
    return asked[0].id === '1' ? 0 : 1;
  },
};

let platform: Awaited<ReturnType<typeof startTestPlatform>>;
beforeAll(async () => {
  platform = await startTestPlatform({ notifications: desk });
});
afterAll(() => platform.stop());

async function ask(method: string, path: string) {
  const response = await platform.app.request(`/api/v1/notifications${path}`, { method });
  return { status: response.status, json: (await response.json()) as Record<string, unknown> };
}

it('notifications are listed by pages', async () => {
  const first = await ask('GET', '?limit=1&channel=ops');
  expect(first.json).toMatchObject({
    items: [
      {
        id: '1',
        key: 'k:ops',
        channel: 'ops',
        alert: 'too-hot:s1',
        state: 'waiting',
        reason: null,
        detail: 'answered 500',
        attempts: 2,
        created: '2026-04-24T03:06:40Z',
        next: '2026-04-24T03:06:44Z',
        content,
      },
    ],
    count: 1,
  });
  const second = await ask('GET', `?limit=1&channel=ops&cursor=${String(first.json.next)}`);
  expect(second.json).toMatchObject({ items: [{ id: '2', state: 'quarantined', next: null }], next: null });
  expect(calls.splice(0)).toEqual([
    ['list', { channel: 'ops' }],
    ['list', { channel: 'ops' }],
  ]);
});

it.each([
  ['GET', '/2', 200],
  ['GET', '/3', 404],
  ['GET', '/counts', 200],
  ['GET', '?state=lost', 400],
  ['POST', '/2/replay', 200],
  ['POST', '/1/replay', 404],
  ['DELETE', '/1', 404],
  ['DELETE', '', 400],
  ['DELETE', '?all=true', 200],
  ['PUT', '/2', 405],
])('%s %s answers %i', async (method, path, status) => {
  expect((await ask(method, path)).status).toBe(status);
});

it('replay and discard pass on what is asked for, and who asks', async () => {
  calls.length = 0;
  expect((await ask('POST', '/replay?channel=ops&note=mended')).json).toEqual({ replayed: 1 });
  expect((await ask('DELETE', '?reason=refused')).json).toEqual({ discarded: 1 });
  expect(calls).toEqual([
    ['replay', { channel: 'ops' }, { actor: 'local', note: 'mended' }],
    ['discard', { reason: 'refused' }, { actor: 'local', note: undefined }],
  ]);
});

it('lists the channels, and tells what came of a test', async () => {
  const ask = askerOf(platform.app);
  expect((await ask('GET', '/channels')).json.items).toEqual([{ name: 'ops', type: 'webhook' }]);
  expect((await ask('POST', '/channels/ops/test')).json).toEqual({
    channel: 'ops',
    delivered: false,
    detail: 'answered 404',
  });
  expect((await ask('POST', '/channels/other/test')).status).toBe(404);
});
