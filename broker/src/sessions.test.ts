import { mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger } from '@tidemark/core';
import { expect, it, onTestFinished } from 'vitest';
import { openSessions } from './sessions.ts';

async function damagedSessions(damage: (directory: string, files: readonly string[]) => Promise<void>) {
  const parent = await mkdtemp(join(tmpdir(), 'tidemark-sessions-'));
  onTestFinished(() => rm(parent, { recursive: true }));
  const directory = join(parent, 'broker');
  let damages = 0;
  const options = { directory, logger: createLogger('silent'), onDamage: () => damages++ };
  const before = await openSessions(options);
  await before.put('retained', 'on');
  await before.close();
  expect(damages).toBe(0);
  await damage(directory, await readdir(directory));
  const after = await openSessions(options);
  onTestFinished(() => after.close());
  return { found: await after.get('retained'), damages };
}

it('a torn MANIFEST costs nothing that the tables hold', async () => {
  const { found, damages } = await damagedSessions((directory, files) =>
    truncate(join(directory, files.find((name) => name.startsWith('MANIFEST'))!), 3),
  );
  expect({ found, damages }).toEqual({ found: 'on', damages: 1 });
});

it('without CURRENT the tables are taken up again, not removed', async () => {
  const { found, damages } = await damagedSessions((directory) => rm(join(directory, 'CURRENT')));
  expect({ found, damages }).toEqual({ found: 'on', damages: 1 });
});

it('when nothing is left of it, the broker starts with none, and says so', async () => {
  const { found, damages } = await damagedSessions(async (directory, files) => {
    for (const name of files) await rm(join(directory, name), { recursive: true });
    await writeFile(join(directory, 'CURRENT'), 'MANIFEST-000009\n');
  });
  expect({ found, damages }).toEqual({ found: undefined, damages: 1 });
});
