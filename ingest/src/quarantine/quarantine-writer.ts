import { setTimeout as delay } from 'node:timers/promises';
import { type Logger, messageOf, type PartHealth } from '@tidemark/core';
import { recordKinds } from '../spool/record.ts';
import type { Spool } from '../spool/spool.ts';
import type { QuarantineStore } from './quarantine-store.ts';
import { decodeRefusal } from './refusal.ts';

const READ_BYTES = 4 * 1024 * 1024;
/** How long the saved cursor may stay behind when there was no refusal: segments wait for it. */
const SAVE_EVERY_MS = 1000;
/** Pause after the log or the index failed. */
const RETRY_MS = 1000;
/** How often items go for their age although nothing is added. */
const EVICT_EVERY_MS = 10_000;

interface QuarantineWriterOptions {
  spool: Spool;
  store: QuarantineStore;
  logger: Logger;
}

/** Takes refusals from the log into the quarantine's index, behind its own durable cursor. */
export class QuarantineWriter {
  readonly #options: QuarantineWriterOptions;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  #evicting: NodeJS.Timeout | undefined;
  /** Aborted when the cursor is to be saved. */
  #saveTimer = AbortSignal.abort();
  #fault: string | undefined;

  constructor(options: QuarantineWriterOptions) {
    this.#options = options;
  }

  start(): void {
    const { spool } = this.#options;
    spool.passed('quarantine', spool.cursor('quarantine'));
    this.#running = this.#run();
    this.#evicting = setInterval(() => this.#evict(), EVICT_EVERY_MS);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    clearInterval(this.#evicting);
    await this.#running;
  }

  health(): PartHealth {
    return { name: 'quarantine', status: this.#fault ? 'fail' : 'pass', message: this.#fault ?? 'writing' };
  }

  #evict(): void {
    try {
      this.#options.store.evict();
    } catch (error) {
      this.#options.logger.warn(
        { err: error },
        'old items of the quarantine could not be removed; it is tried again',
      );
    }
  }

  /** What fails is tried again for ever; at the end what is left stays in the log. */
  async #run(): Promise<void> {
    const { spool, logger } = this.#options;
    const { signal } = this.#stopping;
    for (;;) {
      try {
        await this.#takeNext();
        if (this.#fault) logger.info('the quarantine is written again');
        this.#fault = undefined;
        if (signal.aborted && spool.positionOf('quarantine') >= spool.endOffset) return;
        await this.#waitForMore();
      } catch (error) {
        if (!this.#fault) logger.error({ err: error }, 'the quarantine cannot be written; it is tried again');
        this.#fault = messageOf(error);
        if (signal.aborted) return;
        await delay(RETRY_MS, undefined, { signal }).catch(() => {});
      }
    }
  }

  async #takeNext(): Promise<void> {
    const { spool } = this.#options;
    const hasAdded = spool.positionOf('quarantine') < spool.endOffset && (await this.#addNext());
    if (!hasAdded && !this.#saveTimer.aborted && !this.#stopping.signal.aborted) return;
    // Stays so when the save fails.
    this.#saveTimer = AbortSignal.abort();
    await spool.advance('quarantine', spool.positionOf('quarantine'));
  }

  /** Reads on, and answers whether there was a refusal. */
  async #addNext(): Promise<boolean> {
    const { spool, store } = this.#options;
    const { entries, nextOffset } = await spool.take(spool.positionOf('quarantine'), READ_BYTES, true);
    const refusals = entries
      .filter(({ kind }) => kind === recordKinds.refusal)
      .map(({ offset, payload }) => ({ offset, part: decodeRefusal(payload) }));
    if (refusals.length > 0) store.add('log', refusals);
    spool.passed('quarantine', nextOffset);
    return refusals.length > 0;
  }

  /** Also ends when the cursor is to be saved: segments wait for it. */
  async #waitForMore(): Promise<void> {
    const { signal } = this.#stopping;
    if (this.#saveTimer.aborted)
      this.#saveTimer = AbortSignal.any([signal, AbortSignal.timeout(SAVE_EVERY_MS)]);
    await this.#options.spool.waitForRefusal(this.#saveTimer);
  }
}
