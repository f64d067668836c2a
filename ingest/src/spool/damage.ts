import { mkdir, open, rename, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type Clock, Counter, type Logger, type Registry } from '@tidemark/core';

interface DamageOptions {
  /** The spool's; what is damaged goes into a folder in it. */
  directory: string;
  clock: Clock;
  logger: Logger;
  metrics: Registry;
}

/** Keeps damaged bytes aside, counted, so that nothing unreadable is lost without a word. */
export class DamageKeeper {
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #bytes: Counter;
  readonly #runs: Counter;
  readonly #seen = new Set<number>();

  constructor({ directory, clock, logger, metrics }: DamageOptions) {
    this.#directory = join(directory, 'damaged');
    this.#clock = clock;
    this.#logger = logger;
    const registers = [metrics];
    this.#bytes = new Counter({
      name: 'tidemark_spool_damaged_bytes_total',
      help: 'Unreadable bytes set aside',
      registers,
    });
    this.#runs = new Counter({
      name: 'tidemark_spool_damaged_runs_total',
      help: 'Runs of unreadable bytes set aside',
      registers,
    });
  }

  /** Saves the bytes found unreadable at a log offset; the same offset counts once. */
  async keep(offset: number, bytes: Uint8Array, reason: string): Promise<void> {
    if (this.#seen.has(offset)) return;
    this.#seen.add(offset);
    this.#runs.inc();
    this.#bytes.inc(bytes.length);
    await mkdir(this.#directory, { recursive: true });
    const path = join(this.#directory, `${String(offset).padStart(16, '0')}.bin`);
    const handle = await open(path, 'w');
    try {
      await handle.writeFile(bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    this.#logger.error(
      { offset, bytes: bytes.length, reason, path },
      'damaged bytes in the spool were set aside',
    );
  }

  /** Moves a whole unreadable file out of the way, under a name that none before it has taken. */
  async setAside(path: string, reason: string): Promise<void> {
    const { size } = await stat(path);
    this.#runs.inc();
    this.#bytes.inc(size);
    await mkdir(this.#directory, { recursive: true });
    const kept = join(this.#directory, `${this.#clock.nowNs()}-${basename(path)}`);
    await rename(path, kept);
    this.#logger.error({ bytes: size, reason, path: kept }, 'an unreadable file of the spool was set aside');
  }

  /** Notes bytes of the log that are not there at all. */
  missing(offset: number, bytes: number): void {
    if (this.#seen.has(offset)) return;
    this.#seen.add(offset);
    this.#runs.inc();
    this.#bytes.inc(bytes);
    this.#logger.error({ offset, bytes }, 'a part of the spool is missing');
  }
}
