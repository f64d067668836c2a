import { expect, it, onTestFinished } from 'vitest';
import { startTestPlatform } from '../testing/test-platform.ts';

it('GET /api/v1/audit lists who did what, newest first, page by page', async () => {
  const platform = await startTestPlatform();
  onTestFinished(() => platform.stop());
  const { audit } = platform.parts;
  for (const [id, note] of [['5'], ['6'], ['7', 'why']])
    audit.count(
      audit.begin({ action: 'quarantine.discard', target: { id: id! }, cause: { actor: 'local', note } }),
      { discarded: 1 },
    );
  audit.begin({ action: 'quarantine.replay', target: { id: '9' }, cause: { actor: 'ann' } });
  const get = async (query: string) => (await platform.app.request(`/api/v1/audit${query}`)).json();
  const first = await get('?limit=2&action=quarantine.discard');
  expect(first.items).toEqual([
    {
      id: '3',
      time: expect.stringMatching(/^20.*Z$/),
      actor: 'local',
      action: 'quarantine.discard',
      target: { id: '7' },
      counts: { discarded: 1 },
      note: 'why',
    },
    expect.objectContaining({ id: '2', note: null }),
  ]);
  const second = await get(`?action=quarantine.discard&cursor=${first.next}`);
  expect(second).toMatchObject({ count: 1, items: [{ id: '1', target: { id: '5' } }], next: null });
  expect((await get('')).items.map(({ action }: { action: string }) => action)).toEqual([
    'quarantine.replay',
    ...Array(3).fill('quarantine.discard'),
  ]);
  expect(await get('?cursor=zzz')).toMatchObject({ code: 'bad_request' });
});
