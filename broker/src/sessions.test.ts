import { appendFile, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger, systemClock } from '@tidemark/core';
import type { ClassicLevel } from 'classic-level';
import { expect, it, onTestFinished } from 'vitest';
import { closeSessions, openSessions } from './sessions.ts';

interface Start {
  db: ClassicLevel<string, unknown>;
  /** Where damaged databases were put. */
  keptAt: string[];
  logged: { msg: string; reason?: string }[];
}

async function sessionsFolder(): Promise<string> {
  const parent = await mkdtemp(join(tmpdir(), 'tidemark-sessions-'));
  onTestFinished(() => rm(parent, { recursive: true }));
  return join(parent, 'broker');
}

async function start(directory: string): Promise<Start> {
  const keptAt: string[] = [];
  const logged: Start['logged'] = [];
  const logger = createLogger('error', {
    write: (line) => void logged.push(JSON.parse(line) as { msg: string }),
  });
  const onDamage = (path: string): void => void keptAt.push(path);
  const db = await openSessions({ directory, clock: systemClock, logger, onDamage });
  onTestFinished(() => db.close());
  return { db, keptAt, logged };
}

/** A database with one entry, in its log or in a table. */
async function filled(directory: string, as: 'closed' | 'killed'): Promise<void> {
  const { db, keptAt } = await start(directory);
  await db.put('retained', 'on');
  if (as === 'closed') await closeSessions(db, createLogger('silent'));
  else await db.close();
  expect(keptAt).toEqual([]);
}

/** Two records of one sequence number: LevelDB's assertion ends the process that reads them. */
async function repeatRecords(directory: string): Promise<void> {
  const log = (await readdir(directory)).find((name) => name.endsWith('.log'))!;
  const records = await readFile(join(directory, log));
  expect(records.length).toBeGreaterThan(0);
  await appendFile(join(directory, log), records);
}

it('what was closed in order is opened without a check, and marked only while it is closed', async () => {
  const directory = await sessionsFolder();
  await filled(directory, 'closed');
  expect(await readdir(directory)).toContain('closed');
  const { db, keptAt } = await start(directory);
  expect(await readdir(directory)).not.toContain('closed');
  expect({ found: await db.get('retained'), keptAt }).toEqual({ found: 'on', keptAt: [] });
});

it('what was not closed in order is checked, and kept when it is sound', async () => {
  const directory = await sessionsFolder();
  await filled(directory, 'killed');
  expect(await readdir(directory)).not.toContain('closed');
  const { db, keptAt } = await start(directory);
  expect({ found: await db.get('retained'), keptAt }).toEqual({ found: 'on', keptAt: [] });
});

const damages: [string, (directory: string) => Promise<void>, RegExp][] = [
  ['a record that makes LevelDB end its process', repeatRecords, /^SIGABRT: .*skiplist/],
  ['a torn MANIFEST', async (directory) => truncate(await fileOf(directory, 'MANIFEST'), 3), /Corruption/],
  ['no CURRENT', (directory) => rm(join(directory, 'CURRENT')), /CURRENT/],
  [
    'a CURRENT that names what is not there',
    (directory) => writeFile(join(directory, 'CURRENT'), 'MANIFEST-000099\n'),
    /No such file/,
  ],
];

it.each(damages)('with %s the broker begins anew, and says so', async (_name, damage, reason) => {
  const directory = await sessionsFolder();
  await filled(directory, 'killed');
  await damage(directory);
  const before = new Set(await readdir(directory));
  const { db, keptAt, logged } = await start(directory);
  expect(await db.get('retained')).toBe(undefined);
  expect(keptAt).toHaveLength(1);
  expect(before.difference(new Set(await readdir(keptAt[0]!)))).toEqual(new Set());
  expect(logged).toEqual([
    expect.objectContaining({
      msg: expect.stringContaining('sessions, what was queued for them, and retained messages are lost'),
      reason: expect.stringMatching(reason),
      path: keptAt[0],
    }),
  ]);
  await db.put('retained', 'again');
  await closeSessions(db, createLogger('silent'));
  const next = await start(directory);
  expect({ found: await next.db.get('retained'), keptAt: next.keptAt }).toEqual({
    found: 'again',
    keptAt: [],
  });
});

it('damage to what was closed in order is met as well', async () => {
  const directory = await sessionsFolder();
  await filled(directory, 'closed');
  await truncate(await fileOf(directory, 'MANIFEST'), 3);
  const { db, keptAt } = await start(directory);
  expect({ found: await db.get('retained'), kept: keptAt.length }).toEqual({ found: undefined, kept: 1 });
});

it('a database that another process has open is not damaged', async () => {
  const directory = await sessionsFolder();
  const { keptAt } = await start(directory);
  await expect(start(directory)).rejects.toMatchObject({ cause: { code: 'LEVEL_LOCKED' } });
  expect(keptAt).toEqual([]);
  expect(await readdir(directory)).not.toContain('damaged');
});

async function fileOf(directory: string, prefix: string): Promise<string> {
  return join(directory, (await readdir(directory)).find((name) => name.startsWith(prefix))!);
}
