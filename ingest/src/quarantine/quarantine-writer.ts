import { setTimeout as delay } from 'node:timers/promises';
import type { Clock, Freshness, Logger, PartHealth } from '@tidemark/core';
import { Outage } from '../outage.ts';
import { recordKinds } from '../spool/record.ts';
import type { Spool } from '../spool/spool.ts';
import { Waiters } from '../spool/waiters.ts';
import { Eviction } from './eviction.ts';
import type { QuarantineStore } from './quarantine-store.ts';
import { decodeRefusal } from './refusal.ts';

const READ_BYTES = 4 * 1024 * 1024;
/** How long the saved cursor may stay behind when there was no refusal: segments wait for it. */
const SAVE_EVERY_MS = 1000;
/** Pause after the log or the index failed. */
const RETRY_MS = 1000;

interface QuarantineWriterOptions {
  spool: Spool;
  store: QuarantineStore;
  clock: Clock;
  logger: Logger;
}

/** Takes refusals from the log into the quarantine's index, behind its own durable cursor. */
export class QuarantineWriter implements Freshness {
  readonly #options: QuarantineWriterOptions;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  /** Aborted when the cursor is to be saved. */
  #saveTimer = AbortSignal.abort();
  readonly #eviction: Eviction;
  readonly #outage: Outage;
  /** Those who want to see what was refused up to where the log ended when they came. */
  readonly #flushing = new Waiters();

  constructor(options: QuarantineWriterOptions) {
    this.#options = options;
    this.#eviction = new Eviction(options);
    const { spool } = options;
    this.#outage = new Outage({
      ...options,
      figures: () => ({ backlogBytes: spool.endOffset - spool.positionOf('quarantine') }),
      texts: {
        begun: 'the quarantine cannot be written; refusals stay in the spool and it is tried again',
        lasting: 'the quarantine still cannot be written',
        ended: 'the quarantine is written again',
      },
    });
  }

  start(): void {
    const { spool } = this.#options;
    spool.passed('quarantine', spool.cursor('quarantine'));
    this.#running = this.#run();
    this.#eviction.start();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    this.#eviction.stop();
    this.#outage.stop();
  }

  async flush(timeoutMs: number): Promise<number> {
    const { spool, clock } = this.#options;
    const target = spool.endOffset;
    const isThere = (): boolean => spool.positionOf('quarantine') >= target;
    if (isThere()) return 0;
    const sinceMs = clock.monotonicMs();
    const timeout = AbortSignal.timeout(timeoutMs);
    await this.#flushing.until(() => isThere() || timeout.aborted, timeout);
    return isThere() ? 0 : Math.max(1, clock.monotonicMs() - sinceMs);
  }

  health(): PartHealth {
    const { fault } = this.#outage;
    return { name: 'quarantine', status: fault ? 'fail' : 'pass', message: fault ?? 'writing' };
  }

  /** What fails is tried again for ever; at the end what is left stays in the log. */
  async #run(): Promise<void> {
    const { spool } = this.#options;
    const { signal } = this.#stopping;
    for (;;) {
      try {
        await this.#takeNext();
        this.#outage.ended();
        if (signal.aborted && spool.positionOf('quarantine') >= spool.endOffset) return;
        await this.#waitForMore();
      } catch (error) {
        this.#outage.failed(error);
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
    this.#flushing.wake();
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
