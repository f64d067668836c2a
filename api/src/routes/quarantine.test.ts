import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestPlatform } from '../testing/test-platform.ts';

let platform: Awaited<ReturnType<typeof startTestPlatform>>;

beforeAll(async () => {
  platform = await startTestPlatform();
  for (let n = 1; n <= 5; n++) {
    platform.quarantine.add(n === 3 ? 'not_finite' : 'wrong_type', `fault ${n}`, Uint8Array.of(0xff, n));
  }
});
afterAll(() => platform.stop());

async function get(path: string) {
  const response = await platform.app.request(`/api/v1/quarantine${path}`);
  return { status: response.status, json: await response.json() };
}

describe('GET /api/v1/quarantine', () => {
  it('lists the newest first, payloads in base64, and counts all', async () => {
    const { json } = await get('?limit=2');
    expect(json).toMatchObject({ count: 2, isEmpty: false, total: 5 });
    expect(json.items[0]).toMatchObject({
      id: '5',
      reason: 'wrong_type',
      detail: 'fault 5',
      payload: '/wU=',
      sensor: null,
    });
  });

  it('pages through all of them once', async () => {
    const seen: string[] = [];
    let query = '?limit=2';
    for (;;) {
      const { json } = await get(query);
      seen.push(...json.items.map(({ id }: { id: string }) => id));
      if (json.next === null) break;
      query = `?limit=2&cursor=${json.next}`;
    }
    expect(seen).toEqual(['5', '4', '3', '2', '1']);
  });

  it('filters by reason and shows one', async () => {
    const { json } = await get('?reason=not_finite');
    expect(json.items.map(({ id }: { id: string }) => id)).toEqual(['3']);
    expect((await get('/3')).json).toMatchObject({ id: '3', reason: 'not_finite' });
    expect((await get('/99')).status).toBe(404);
  });

  it.each(['?reason=boredom', '?limit=0', '?cursor=zzz', '?shape=round', '/3?x=1'])(
    'refuses %s',
    async (path) => {
      expect(await get(path)).toMatchObject({ status: 400, json: { code: 'bad_request' } });
    },
  );
});
