import type { AuditEntry } from '@tidemark/core';
import { expect, it, onTestFinished } from 'vitest';
import { startTestPlatform } from '../testing/test-platform.ts';

const entries = [3, 2, 1].map(
  (n): AuditEntry => ({
    id: String(n),
    timeNs: BigInt(n) * 1_000_000_000n,
    actor: 'local',
    action: 'quarantine.discard',
    target: { id: '7' },
    counts: { discarded: 1 },
    note: n === 3 ? 'why' : undefined,
  }),
);

it('GET /api/v1/audit lists who did what, newest first, page by page', async () => {
  const asked: unknown[] = [];
  const platform = await startTestPlatform({
    audit: {
      list: (filter) => {
        asked.push(filter);
        return entries
          .filter(({ id }) => filter.before === undefined || id < filter.before)
          .slice(0, filter.limit);
      },
    },
  });
  onTestFinished(() => platform.stop());
  const get = async (query: string) => (await platform.app.request(`/api/v1/audit${query}`)).json();
  const first = await get('?limit=2&action=quarantine.discard');
  expect(first.items[0]).toEqual({
    id: '3',
    time: '1970-01-01T00:00:03Z',
    actor: 'local',
    action: 'quarantine.discard',
    target: { id: '7' },
    counts: { discarded: 1 },
    note: 'why',
  });
  const second = await get(`?cursor=${first.next}`);
  expect(second).toMatchObject({ count: 1, items: [{ id: '1', note: null }], next: null });
  expect(asked).toEqual([
    { action: 'quarantine.discard', limit: 3, before: undefined },
    { action: undefined, limit: 101, before: '2' },
  ]);
  expect(await get('?cursor=zzz')).toMatchObject({ code: 'bad_request' });
});
