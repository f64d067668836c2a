import { existsSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { messageOf, TidemarkError } from '@tidemark/core';

/** A data folder that this process alone uses; the kernel lets go of it when the process ends, however. */
export interface ClaimedDataDir {
  release(): void;
}

/**
 * Makes the folder if need be and locks it; throws `data_dir_unusable` when it cannot be written or another
 * process runs on it. The lock is SQLite's, which is the operating system's own and leaves nothing stale.
 */
export function claimDataDir(path: string): ClaimedDataDir {
  let lock: DatabaseSync | undefined;
  try {
    // Recursive only where it must be: in a folder that takes no entries, such as /proc, it never returns.
    if (!existsSync(path)) mkdirSync(path, { recursive: !existsSync(dirname(path)), mode: 0o700 });
    lock = new DatabaseSync(join(path, 'lock'));
    lock.exec(
      'PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE; CREATE TABLE IF NOT EXISTS held (by_process INTEGER);',
    );
    lock.exec(`DELETE FROM held; INSERT INTO held VALUES (${process.pid});`);
  } catch (cause) {
    lock?.close();
    throw new TidemarkError('data_dir_unusable', describe(path, cause), { cause });
  }
  const held = lock;
  return { release: () => held.close() };
}

function describe(path: string, cause: unknown): string {
  if (messageOf(cause).includes('locked'))
    return `${path} is in use by another Tidemark; stop it, or set TIDEMARK_DATA_DIR`;
  return `the data directory ${path} cannot be used: ${messageOf(cause)}`;
}
