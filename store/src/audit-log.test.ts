import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { AuditLog } from './audit-log.ts';
import { openMetaDb } from './meta-db.ts';

async function openLog(maxEntries: number) {
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-audit-'));
  const db = openMetaDb(join(folder, 'meta.db'));
  onTestFinished(async () => {
    db.close();
    await rm(folder, { recursive: true });
  });
  let nowNs = 1_700_000_000_000_000_001n;
  const clock = { nowNs: () => nowNs++, monotonicMs: () => 0 };
  return { db, log: new AuditLog({ db, clock, maxEntries }) };
}

const cause = { actor: 'ann', note: 'why' };

it('keeps who did what, what came of it and why', async () => {
  const { log } = await openLog(10);
  log.count(log.begin({ action: 'a.b', target: { id: '1' }, cause }), { done: 2 });
  log.begin({ action: 'a.c', target: {}, cause: { actor: 'local' } });
  expect(log.list({ limit: 10 })).toEqual([
    { id: '2', timeNs: 1_700_000_000_000_000_002n, action: 'a.c', target: {}, counts: {}, actor: 'local' },
    {
      id: '1',
      timeNs: 1_700_000_000_000_000_001n,
      action: 'a.b',
      target: { id: '1' },
      counts: { done: 2 },
      ...cause,
    },
  ]);
  expect(log.list({ limit: 10, action: 'a.b' }).map(({ id }) => id)).toEqual(['1']);
  expect(log.list({ limit: 10, before: '2' }).map(({ id }) => id)).toEqual(['1']);
});

it('keeps the newest, and is part of the change that it tells of', async () => {
  const { db, log } = await openLog(3);
  for (let n = 0; n < 5; n++) log.begin({ action: 'a', target: {}, cause });
  expect(log.list({ limit: 10 }).map(({ id }) => id)).toEqual(['5', '4', '3']);
  db.exec('BEGIN');
  log.begin({ action: 'b', target: {}, cause });
  db.exec('ROLLBACK');
  expect(log.list({ limit: 10 }).map(({ action }) => action)).toEqual(['a', 'a', 'a']);
});
