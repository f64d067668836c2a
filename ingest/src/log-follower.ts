import { setTimeout as delay } from 'node:timers/promises';
import type { Clock, LogFollowing, Logger, LogReader, PartHealth } from '@tidemark/core';
import { Outage } from './outage.ts';
import type { CursorName } from './spool/cursors.ts';
import type { SpoolEntry } from './spool/entry.ts';
import type { Spool } from './spool/spool.ts';

/** Read between two turns of the event loop: some 700 small messages, a millisecond of checks. */
const READ_BYTES = 64 * 1024;
/** A commit under load is read as a whole, and may take tens of milliseconds: acceptance has a turn every so often. */
const MAX_TURN_MS = 4;
/** Entries taken before it is looked how long that took. */
const SLICE = 32;
/** How often what was counted is saved, and how far a full log may have to wait for it. */
const SAVE_EVERY_MS = 1000;
/** Rows that are saved without waiting for that: acceptance shares the thread, and a row takes some 10 µs. */
const MAX_UNSAVED_ROWS = 500;
/** Pause after the log or meta.db failed. */
const RETRY_MS = 1000;
/** How long the end may take; what is left is read after the next start. */
const STOP_WITHIN_MS = 1000;

interface LogFollowerOptions extends LogReader<SpoolEntry> {
  spool: Spool;
  cursor: Exclude<CursorName, 'store' | 'quarantine'>;
  clock: Clock;
  logger: Logger;
  /** Entries are gathered so long before they are read: fewer, larger reads. */
  gatherMs: number;
  /** Of the part that reads, in the log and in its health. */
  texts: { begun: string; lasting: string; ended: string; working: string };
}

/** Reads the log behind a durable cursor, apart from acceptance, and saves as it goes. */
export class LogFollower implements LogFollowing {
  readonly #options: LogFollowerOptions;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  /** Behind the last entry that was taken. */
  #position: number;
  #savedPosition: number;
  #savedAtMs = 0;
  #advancedAtMs = 0;
  #caughtUpAtMs: number | undefined;
  #hurry = new AbortController();
  readonly #caughtUpWaiters = new Set<() => void>();
  readonly #outage: Outage;

  constructor(options: LogFollowerOptions) {
    const { spool, cursor, offset } = options;
    this.#options = options;
    this.#position = Math.min(offset ?? spool.cursor(cursor), spool.endOffset);
    this.#savedPosition = this.#position;
    this.#outage = new Outage({
      ...options,
      figures: () => ({ backlogBytes: spool.endOffset - this.#position }),
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
    const { cursor, texts } = this.#options;
    return { name: cursor, status: fault ? 'fail' : 'pass', message: fault ?? texts.working };
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
    const { spool, cursor, recalledBytes, recall, onRecalled, logger } = this.#options;
    const { signal } = this.#stopping;
    const offset = this.#position;
    const from = Math.max(spool.firstOffset, offset - recalledBytes);
    try {
      for (let at = from; at < offset && !signal.aborted; await new Promise(setImmediate)) {
        const { entries, nextOffset } = await spool.take(at, READ_BYTES);
        recall(entries.filter((entry) => entry.offset < offset));
        at = nextOffset;
      }
      if (!signal.aborted) await onRecalled?.(from);
    } catch (error) {
      logger.warn({ err: error, cursor }, 'some of what was read before this start is not known again');
    }
  }

  async #takeNext(): Promise<void> {
    const { spool, cursor, isIdle } = this.#options;
    const seenAtMs = this.#nowMs();
    if (isIdle?.()) this.#position = spool.endOffset;
    else {
      const { entries, nextOffset } = await spool.take(this.#position, READ_BYTES, true);
      await this.#takeInTurns(entries, nextOffset, seenAtMs);
    }
    spool.passed(cursor, this.#position);
    if (this.#isAtEnd()) this.#caughtUpAtMs = seenAtMs;
    for (const wake of this.#caughtUpWaiters) wake();
  }

  /** The position goes along: what is saved in between is what was taken. */
  async #takeInTurns(entries: readonly SpoolEntry[], nextOffset: number, seenAtMs: number): Promise<void> {
    const { take } = this.#options;
    let turnAtMs = this.#nowMs();
    for (let start = 0; start < entries.length; start += SLICE) {
      const end = start + SLICE;
      take(entries.slice(start, end), seenAtMs);
      if (end >= entries.length) break;
      this.#position = entries[end]!.offset;
      if (this.#nowMs() - turnAtMs < MAX_TURN_MS) continue;
      await new Promise(setImmediate);
      turnAtMs = this.#nowMs();
    }
    this.#position = nextOffset;
  }

  async #saveIfDue(isLast = false): Promise<void> {
    const { spool, cursor, unsavedRows } = this.#options;
    const nowMs = this.#nowMs();
    const isDue = nowMs - this.#savedAtMs >= SAVE_EVERY_MS || unsavedRows() >= MAX_UNSAVED_ROWS;
    if (isDue || isLast) this.save();
    if (nowMs - this.#advancedAtMs < SAVE_EVERY_MS && !isLast) return;
    this.#advancedAtMs = nowMs;
    await spool.advance(cursor, this.#savedPosition);
  }

  /** Waits for an entry, or until there is a place to save: a full log takes nothing more before it is. */
  async #waitForMore(): Promise<void> {
    const { spool, cursor, gatherMs } = this.#options;
    const { signal } = this.#stopping;
    if (this.#isAtEnd()) {
      const isSaved = this.#position <= spool.cursor(cursor);
      await spool.waitBeyond(this.#position, signal, isSaved ? undefined : SAVE_EVERY_MS);
    }
    const isUrgent = this.#caughtUpWaiters.size > 0 || signal.aborted;
    const isBehind = spool.endOffset - this.#position >= READ_BYTES;
    if (this.#hurry.signal.aborted) this.#hurry = new AbortController();
    if (isUrgent || isBehind) await new Promise(setImmediate);
    else await delay(gatherMs, undefined, { signal: this.#hurry.signal }).catch(() => {});
  }

  #isAtEnd(): boolean {
    return this.#position >= this.#options.spool.endOffset;
  }

  #nowMs(): number {
    return this.#options.clock.monotonicMs();
  }
}
