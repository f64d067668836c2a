import { open } from 'node:fs/promises';

/**
 * Makes a file's bytes, or a folder's entries (files made, renamed, removed), durable. Throws what the file system
 * says; after an fsync that failed the same file must not be synced again, since its pages may count as written.
 */
export async function syncPath(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
