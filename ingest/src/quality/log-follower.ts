import { setTimeout as delay } from 'node:timers/promises';
import type { Clock, Logger, PartHealth } from '@tidemark/core';
import { Outage } from '../outage.ts';
import type { SpoolEntry } from '../spool/entry.ts';
import type { Spool } from '../spool/spool.ts';

/** Read between two turns of the event loop: some 700 small messages, a millisecond of checks. */
const READ_BYTES = 64 * 1024;
/** How much that was taken before this run is read once more: some 90 000 small messages, a third of a second's work. */
const RECALLED_BYTES = 8 * 1024 * 1024;
/** Entries are gathered so long before they are read: fewer, larger reads. */
const GATHER_MS = 50;
/** How often what was counted is saved, and how far a full log may have to wait for it. */
const SAVE_EVERY_MS = 1000;
/** Rows that are saved without waiting for that: acceptance shares the thread, and a row takes some 10 µs. */
const MAX_UNSAVED_ROWS = 500;
/** Pause after the log or meta.db failed. */
const RETRY_MS = 1000;
/** How long the end may take; what is left is read after the next start. */
const STOP_WITHIN_MS = 1000;

interface LogFollowerOptions {
  spool: Spool;
  clock: Clock;
  logger: Logger;
  /** Where to begin. */
  offset: number;
  /** Takes what was taken before this run once more, in order, to remember it. */
  recall: (entries: readonly SpoolEntry[]) => void;
  /** Called behind that, before anything is taken; `from` is the place in the log that it began at. */
  onRecalled: (from: number) => Promise<void>;
  /** Takes entries, in order, each once for each run. */
  take: (entries: readonly SpoolEntry[], seenAtMs: number) => void;
  /** How many rows there are to save. */
  unsavedRows: () => number;
  /** Makes everything durable that was taken up to the offset. */
  save: (offset: number) => void;
}

/** Reads the log behind the durable cursor `quality`, apart from acceptance, and saves as it goes. */
export class LogFollower {
  readonly #options: LogFollowerOptions;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  /** Behind the last entry that was taken. */
  #position: number;
  #savedPosition: number;
  #savedAtMs = 0;
  #caughtUpAtMs: number | undefined;
  #hurry = new AbortController();
  readonly #caughtUpWaiters = new Set<() => void>();
  readonly #outage: Outage;

  constructor(options: LogFollowerOptions) {
    this.#options = options;
    this.#position = options.offset;
    this.#savedPosition = options.offset;
    this.#outage = new Outage({
      ...options,
      figures: () => ({ backlogBytes: options.spool.endOffset - this.#position }),
      texts: {
        begun: 'readings cannot be checked; they stay in the spool and it is tried again',
        lasting: 'readings still cannot be checked',
        ended: 'readings are checked again',
      },
    });
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#hurry.abort();
    await this.#running;
    this.#outage.stop();
  }

  health(): PartHealth {
    const { fault } = this.#outage;
    return { name: 'quality', status: fault ? 'fail' : 'pass', message: fault ?? 'checking' };
  }

  /** Up to when everything accepted was taken, on the monotonic clock; undefined until that is so once. */
  get caughtUpAtMs(): number | undefined {
    return this.#isAtEnd() ? this.#nowMs() : this.#caughtUpAtMs;
  }

  /** Waits, for `timeoutMs` at most, until everything accepted before the call is taken and saved. */
  async catchUp(timeoutMs: number): Promise<void> {
    const { spool, clock } = this.#options;
    const target = spool.endOffset;
    const deadlineMs = clock.monotonicMs() + timeoutMs;
    while (this.#position < target && clock.monotonicMs() < deadlineMs) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, deadlineMs - clock.monotonicMs());
      this.#caughtUpWaiters.add(resolve);
      this.#hurry.abort();
      await promise;
      clearTimeout(timer);
      this.#caughtUpWaiters.delete(resolve);
    }
    this.save();
  }

  /** Saves what was taken and what else was counted; throws when it cannot. */
  save(): void {
    if (this.#position === this.#savedPosition && this.#options.unsavedRows() === 0) return;
    const position = this.#position;
    this.#options.save(position);
    this.#savedPosition = position;
    this.#savedAtMs = this.#nowMs();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    let endByMs = Number.POSITIVE_INFINITY;
    await this.#recall();
    for (;;) {
      try {
        await this.#takeNext();
        await this.#saveIfDue();
        this.#outage.ended();
        if (signal.aborted) endByMs = Math.min(endByMs, this.#nowMs() + STOP_WITHIN_MS);
        if (signal.aborted && (this.#isAtEnd() || this.#nowMs() >= endByMs))
          return await this.#saveIfDue(true);
        await this.#waitForMore();
      } catch (error) {
        this.#outage.failed(error);
        if (signal.aborted) return;
        await delay(RETRY_MS, undefined, { signal }).catch(() => {});
      }
    }
  }

  /** What is not known for it is compared with nothing; that holds nothing up. */
  async #recall(): Promise<void> {
    const { spool, offset, recall, onRecalled, logger } = this.#options;
    const { signal } = this.#stopping;
    const from = Math.max(spool.firstOffset, offset - RECALLED_BYTES);
    try {
      for (let at = from; at < offset && !signal.aborted; await new Promise(setImmediate)) {
        const { entries, nextOffset } = await spool.take(at, READ_BYTES);
        recall(entries.filter((entry) => entry.offset < offset));
        at = nextOffset;
      }
      if (!signal.aborted) await onRecalled(from);
    } catch (error) {
      logger.warn({ err: error }, 'some of what was checked before this start is not known to the checks');
    }
  }

  async #takeNext(): Promise<void> {
    const { spool, take } = this.#options;
    const seenAtMs = this.#nowMs();
    const { entries, nextOffset } = await spool.take(this.#position, READ_BYTES, true);
    take(entries, seenAtMs);
    this.#position = nextOffset;
    spool.passed('quality', nextOffset);
    if (this.#isAtEnd()) this.#caughtUpAtMs = seenAtMs;
    for (const wake of this.#caughtUpWaiters) wake();
  }

  async #saveIfDue(isLast = false): Promise<void> {
    const { spool, unsavedRows } = this.#options;
    const isDue = this.#nowMs() - this.#savedAtMs >= SAVE_EVERY_MS || unsavedRows() >= MAX_UNSAVED_ROWS;
    if (!isDue && !isLast) return;
    this.save();
    await spool.advance('quality', this.#savedPosition);
  }

  /** Waits for an entry, or until there is a place to save: a full log takes nothing more before it is. */
  async #waitForMore(): Promise<void> {
    const { spool } = this.#options;
    const { signal } = this.#stopping;
    if (this.#isAtEnd()) {
      const isSaved = this.#position <= spool.cursor('quality');
      const waking = isSaved ? signal : AbortSignal.any([signal, AbortSignal.timeout(SAVE_EVERY_MS)]);
      await spool.waitBeyond(this.#position, waking);
    }
    const isUrgent = this.#caughtUpWaiters.size > 0 || signal.aborted;
    const isBehind = spool.endOffset - this.#position >= READ_BYTES;
    if (this.#hurry.signal.aborted) this.#hurry = new AbortController();
    if (isUrgent || isBehind) await new Promise(setImmediate);
    else await delay(GATHER_MS, undefined, { signal: this.#hurry.signal }).catch(() => {});
  }

  #isAtEnd(): boolean {
    return this.#position >= this.#options.spool.endOffset;
  }

  #nowMs(): number {
    return this.#options.clock.monotonicMs();
  }
}
