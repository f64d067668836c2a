import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { runTidemark, settingsFor } from '../support/platform-process.ts';
import { tempDir } from '../support/temp-dir.ts';

const bin = fileURLToPath(new URL('../../cli/bin/tidemark.js', import.meta.url));

it('the demo shows a rule fire, be acknowledged and resolve', { timeout: 240_000 }, async () => {
  const dataDir = await tempDir();
  const args = ['demo', '--json', '--data-dir', dataDir];
  const child = spawn(process.execPath, [bin, ...args], {
    env: settingsFor(dataDir),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(async () => {
    child.kill('SIGTERM');
    if (child.exitCode === null) await once(child, 'exit');
  });
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  const { httpUrl } = JSON.parse(line) as { httpUrl: string };
  const tidemark = async (...words: string[]) => (await runTidemark([...words, '--url', httpUrl])).stdout;
  const changes = async (): Promise<unknown[]> => {
    const { items } = JSON.parse(await tidemark('alerts', 'history', '--json')) as {
      items: Record<string, unknown>[];
    };
    return items.map(({ id, state, by, comment }) => [id, state, by, comment]).reverse();
  };

  const id = 'demo-humid:greenhouse-1';
  const fired = [id, 'firing', null, null];
  await expect.poll(changes, { timeout: 120_000, interval: 1000 }).toEqual([fired]);
  expect(await tidemark('alerts')).toMatch(/demo-humid:greenhouse-1 +firing .*humid: 5\d/);
  await tidemark('alerts', 'ack', id, '--by', 'ann', '--comment', 'the window is open');
  const told = [id, 'acknowledged', 'ann', 'the window is open'];
  expect(await changes()).toEqual([fired, told]);
  const resolved = [id, 'resolved', null, null];
  await expect.poll(changes, { timeout: 120_000, interval: 1000 }).toEqual([fired, told, resolved]);
  const stays = (await (await fetch(`${httpUrl}/api/v1/travellers`)).json()) as { isEmpty: boolean };
  expect(stays.isEmpty).toBe(false);
});
