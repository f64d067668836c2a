import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Bench } from '../bench.ts';

const preload = fileURLToPath(new URL('./stall-commits.ts', import.meta.url));
const LOOK_EVERY_MS = 20;

/** Holds the commits of a platform's embedded store, as a disk would that is slow or does not answer. */
export class CommitGate {
  /** What the platform must be started with. */
  readonly env: Record<string, string>;
  readonly #fifo: string;
  readonly #signal: AbortSignal;

  constructor({ directory, signal }: Bench) {
    this.#fifo = join(directory, 'commit.fifo');
    this.#signal = signal;
    this.env = { NODE_OPTIONS: `--import=${preload}`, FAULT_COMMIT_FIFO: this.#fifo };
  }

  /** From now on commits wait. */
  async close(): Promise<void> {
    await promisify(execFile)('mkfifo', [this.#fifo]);
  }

  /** Lets one commit go on, waiting for one to come. */
  async letOneThrough(): Promise<void> {
    while (!(await this.#wake())) await delay(LOOK_EVERY_MS, undefined, { signal: this.#signal });
  }

  /** Commits wait no more. */
  async open(): Promise<void> {
    // Who waits has the FIFO open already, and is reached only while it has a name.
    await this.#wake();
    await rm(this.#fifo);
  }

  /** False when no commit waits. */
  async #wake(): Promise<boolean> {
    try {
      const handle = await open(this.#fifo, constants.O_WRONLY | constants.O_NONBLOCK);
      await handle.close();
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENXIO') return false;
      throw error;
    }
  }
}
