import { type FileHandle, open } from 'node:fs/promises';
import { TidemarkError } from '@tidemark/core';
import type { StoreSnapshot } from '../engine.ts';

/** DuckDB's log may grow so far while its file is held; then the file is let go, and the backup fails. */
const MAX_LOG_BYTES = 1024 * 1024 * 1024;

/**
 * Keeps DuckDB's file as it is after a checkpoint, for who copies it: between two checkpoints DuckDB writes only to
 * what the last one left free, as it must for its own recovery.
 */
export class HeldFile {
  readonly #file: string;
  /**
   * Open until DuckDB has closed the file: a process that closes any descriptor of a file gives up its locks on it,
   * which are what keeps other processes out.
   */
  #handle: FileHandle | undefined;
  #held: symbol | undefined;

  constructor(file: string) {
    this.#file = file;
  }

  /** True when no checkpoint may be made now. */
  isHeldAt(logBytes: number): boolean {
    if (logBytes > MAX_LOG_BYTES) this.#held = undefined;
    return this.#held !== undefined;
  }

  /** To be called right behind a checkpoint, with nothing running in between. */
  async hold(): Promise<StoreSnapshot> {
    const held = Symbol('held');
    this.#held = held;
    this.#handle ??= await open(this.#file, 'r');
    const handle = this.#handle;
    const { size } = await handle.stat();
    return {
      bytes: size,
      read: async (position, length) => {
        const buffer = Buffer.allocUnsafe(length);
        const { bytesRead } = await handle.read(buffer, 0, length, position);
        // Looked at behind the read: a checkpoint may have come meanwhile.
        if (this.#held !== held || bytesRead !== length)
          throw new TidemarkError('unavailable', 'the store could not be held for so long; try again', {
            retryable: true,
          });
        return buffer;
      },
      release: () => {
        if (this.#held === held) this.#held = undefined;
      },
    };
  }

  /** Once DuckDB has closed the file. */
  async close(): Promise<void> {
    this.#held = undefined;
    await this.#handle?.close();
    this.#handle = undefined;
  }
}
