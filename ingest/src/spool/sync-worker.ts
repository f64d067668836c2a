import { fdatasyncSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';

/** Null when the data is durable. */
export type SyncAnswer = { message: string; code: string | undefined } | null;

parentPort!.on('message', (fd: number) => parentPort!.postMessage(sync(fd)));

function sync(fd: number): SyncAnswer {
  try {
    fdatasyncSync(fd);
    return null;
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException;
    return { message, code };
  }
}
