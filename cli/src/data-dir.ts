import { closeSync, existsSync, fsyncSync, mkdirSync, openSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { messageOf, TidemarkError } from '@tidemark/core';

/** A data folder that this process alone uses; the kernel lets go of it when the process ends, however. */
export interface ClaimedDataDir {
  /** Makes the names in the folder, and its own name, durable: a file without its name is lost after a power cut. */
  syncNames(): void;
  release(): void;
}

/**
 * Makes the folder if need be and locks it; throws `data_dir_unusable` when it cannot be written or another
 * process runs on it. The lock is SQLite's, which is the operating system's own and leaves nothing stale.
 */
export function claimDataDir(path: string): ClaimedDataDir {
  let lock: DatabaseSync | undefined;
  let firstMade: string | undefined;
  try {
    // Recursive only where it must be: in a folder that takes no entries, such as /proc, it never returns.
    const isParentThere = existsSync(dirname(path));
    if (!existsSync(path)) {
      const made = mkdirSync(path, { recursive: !isParentThere, mode: 0o700 });
      firstMade = made ?? path;
    }
    lock = new DatabaseSync(join(path, 'lock'));
    // Nothing is written, so that no crash can leave a lock that cannot be opened.
    lock.exec('BEGIN EXCLUSIVE');
  } catch (cause) {
    lock?.close();
    throw new TidemarkError('data_dir_unusable', describe(path, cause), { cause });
  }
  const held = lock;
  const topmost = dirname(firstMade ?? path);
  const syncNames = (): void => {
    for (let folder = path; folder !== topmost; folder = dirname(folder)) syncDirectory(folder);
    syncDirectory(topmost);
  };
  return { syncNames, release: () => held.close() };
}

function syncDirectory(path: string): void {
  let descriptor: number;
  try {
    descriptor = openSync(path, 'r');
  } catch (error) {
    // A folder above ours that we may not read was made by others, and is not new.
    if ((error as NodeJS.ErrnoException).code === 'EACCES') return;
    throw error;
  }
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function describe(path: string, cause: unknown): string {
  if (messageOf(cause).includes('locked'))
    return `${path} is in use by another Tidemark; stop it, or set TIDEMARK_DATA_DIR`;
  return `the data directory ${path} cannot be used: ${messageOf(cause)}`;
}
