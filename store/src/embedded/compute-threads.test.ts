import { readdirSync, readFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { getPriority } from 'node:os';
import { expect, it } from 'vitest';
import { niceComputeThreads } from './compute-threads.ts';

it.runIf(process.platform === 'linux')('the pool gives way to the main thread', async () => {
  // Starts the pool's threads.
  await stat('/');
  const own = getPriority();
  niceComputeThreads();
  const niceness = readdirSync('/proc/self/task').flatMap((thread) => {
    const name = readFileSync(`/proc/self/task/${thread}/comm`, 'utf8').trim();
    return name === 'libuv-worker' ? [getPriority(Number(thread))] : [];
  });
  expect(niceness.length).toBeGreaterThan(0);
  expect(new Set(niceness)).toEqual(new Set([10]));
  expect(getPriority()).toBe(own);
});
