import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncPath } from '@tidemark/core';

/**
 * Gives a file, an fsync of which has failed, a new one with the same bytes that is synced. What was written to the old
 * one may be in memory alone, and a later fsync of it would say nothing of that. Nothing is done where there is none.
 */
export async function renewFile(path: string): Promise<void> {
  const fresh = `${path}.new`;
  // One that was not synced is not synced again, either.
  await rm(fresh, { force: true });
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (bytes === undefined) return;
  await writeFile(fresh, bytes, { flag: 'wx', flush: true });
  await rename(fresh, path);
  await syncPath(dirname(path));
}
