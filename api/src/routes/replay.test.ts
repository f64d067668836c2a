import { TidemarkError } from '@tidemark/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startTestPlatform } from '../testing/test-platform.ts';

let platform: Awaited<ReturnType<typeof startTestPlatform>>;

beforeEach(async () => {
  platform = await startTestPlatform({
    access: {
      isRequired: true,
      checkUser: async () => true,
      knowsUser: () => true,
      checkToken: () => true,
      tokenName: (token) => (token === 'sesame' ? 'ann' : undefined),
    },
  });
  platform.desk.outcome = { replayed: 1, refused: 0, reasons: {}, left: 0, next: undefined };
});
afterEach(() => platform.stop());

async function ask(method: string, path: string, body: string | null = null) {
  const headers = { authorization: 'Bearer sesame' };
  const response = await platform.app.request(`/api/v1/quarantine${path}`, { method, headers, body });
  return { status: response.status, json: await response.json() };
}

describe('POST /api/v1/quarantine/{id}/replay', () => {
  it.each([
    ['as it came', null, undefined],
    ['with its payload mended', JSON.stringify({ payload: 'MjEuNQ==' }), Buffer.from('21.5')],
  ])('replays one %s', async (_what, body, payload) => {
    expect(await ask('POST', '/7/replay?note=mended', body)).toEqual({
      status: 200,
      json: { replayed: 1, refused: 0, reasons: [], left: 0, next: null },
    });
    expect(platform.desk.calls).toEqual([['replay', '7', { actor: 'ann', note: 'mended' }, payload]]);
  });

  it('says what it does not find, cannot read or cannot do now', async () => {
    for (const body of ['{"payload": "?"}', '{"payload": 1}', '{"text": "1"}', '[]', '{'])
      expect(await ask('POST', '/7/replay', body)).toMatchObject({
        status: 400,
        json: { code: 'bad_request' },
      });
    expect(platform.desk.calls).toEqual([]);
    platform.desk.outcome = undefined;
    expect(await ask('POST', '/8/replay')).toMatchObject({ status: 404 });
    platform.desk.outcome = new TidemarkError('spool_full', 'full', { retryable: true });
    expect(await ask('POST', '/8/replay')).toMatchObject({ status: 503, json: { code: 'spool_full' } });
  });
});

describe('POST /api/v1/quarantine/replay', () => {
  it('replays what matches, and goes on where it ended', async () => {
    const next = { timeNs: -5n, id: '7', newestId: '9' };
    platform.desk.outcome = { replayed: 2, refused: 1, reasons: { empty: 1 }, left: 4, next };
    const { json } = await ask(
      'POST',
      '/replay?reason=empty&topic=sensors/a&to=2026-01-01T00:00:00Z&limit=3',
    );
    expect(json).toMatchObject({
      replayed: 2,
      refused: 1,
      reasons: [{ reason: 'empty', count: 1 }],
      left: 4,
    });
    await ask('POST', `/replay?cursor=${json.next}`);
    expect(platform.desk.calls).toMatchObject([
      [
        'replayAll',
        { reason: 'empty', topic: 'sensors/a', fromNs: undefined, limit: 3, after: undefined },
        {},
      ],
      ['replayAll', { limit: 1000, after: next }, { actor: 'ann' }],
    ]);
  });

  it.each(['?limit=10001', '?reason=none', '?cursor=WyJhIl0', '?shape=round', '?from=now&to=now-1h'])(
    'refuses %s',
    async (query) => {
      expect(await ask('POST', `/replay${query}`)).toMatchObject({ status: 400 });
      expect(platform.desk.calls).toEqual([]);
    },
  );
});

describe('DELETE /api/v1/quarantine', () => {
  it('discards one', async () => {
    expect(await ask('DELETE', '/1?note=a+test')).toEqual({ status: 200, json: { discarded: 1 } });
    expect(await ask('DELETE', '/2')).toMatchObject({ status: 404 });
    expect(platform.desk.calls[0]).toEqual(['discard', '1', { actor: 'ann', note: 'a test' }]);
  });

  it('discards what matches, and everything only when told so', async () => {
    expect(await ask('DELETE', '')).toMatchObject({ status: 400 });
    expect(await ask('DELETE', '?note=all')).toMatchObject({ status: 400 });
    expect(platform.desk.calls).toEqual([]);
    expect(await ask('DELETE', '?sensor=a')).toEqual({ status: 200, json: { discarded: 3 } });
    expect(await ask('DELETE', '?all=true')).toMatchObject({ status: 200 });
    expect(platform.desk.calls).toMatchObject([
      ['discardAll', { sensor: 'a' }, { actor: 'ann' }],
      ['discardAll', { sensor: undefined }, { actor: 'ann' }],
    ]);
  });
});
