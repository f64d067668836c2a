import { setTimeout as delay } from 'node:timers/promises';
import {
  type Clock,
  encodeExactLine,
  type Freshness,
  type Logger,
  messageOf,
  type PartHealth,
  type Point,
  TidemarkError,
} from '@tidemark/core';
import type { Engine, RejectedPoint } from '@tidemark/store';
import type { IngestMetrics } from './metrics.ts';
import { encodeRefusal } from './quarantine/refusal.ts';
import type { SpoolEntry } from './spool/entry.ts';
import { recordKinds } from './spool/record.ts';
import type { Spool } from './spool/spool.ts';

/** Pauses between tries of a batch: doubled from the first to the last, or what the store asks for. */
const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 15_000;
/** How often the durable cursor follows what was written. */
const SAVE_EVERY_MS = 1000;

interface BatchWriterOptions {
  spool: Spool;
  engine: Engine;
  metrics: IngestMetrics;
  clock: Clock;
  logger: Logger;
  /** A batch is written when it has so many points, so many spooled bytes, or is so old. */
  batchPoints: number;
  batchBytes: number;
  batchAgeMs: number;
}

/**
 * Moves points from the log into the store in batches, in order, one at a time. A batch that fails is tried
 * again until the store takes it; the points a store refuses for good go to the quarantine.
 */
export class BatchWriter implements Freshness {
  readonly #options: BatchWriterOptions;
  readonly #stopping = new AbortController();
  /** Aborted to cut the wait for a fuller batch short. */
  #hurry = new AbortController();
  #flushWaiters = new Set<() => void>();
  #running: Promise<void> | undefined;
  /** Behind the last entry that queries see. */
  #position = 0;
  #oldestWaitingNs: bigint | undefined;
  #savedAtMs = 0;
  #fault: string | undefined;

  constructor(options: BatchWriterOptions) {
    this.#options = options;
  }

  start(): void {
    this.#position = this.#options.spool.cursor('store');
    this.#running = this.#run();
  }

  /** Writes out what is in the log, unless the store does not take it; then it stays in the log. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#hurry.abort();
    await this.#running;
  }

  async flush(timeoutMs: number): Promise<number> {
    const target = this.#options.spool.endOffset;
    const deadline = this.#options.clock.monotonicMs() + timeoutMs;
    while (this.#position < target) {
      this.#hurry.abort();
      const leftMs = deadline - this.#options.clock.monotonicMs();
      if (leftMs <= 0) return this.#lagMs();
      await this.#nextWrite(leftMs);
    }
    return 0;
  }

  health(): PartHealth {
    return { name: 'store', status: this.#fault ? 'fail' : 'pass', message: this.#fault ?? 'writing' };
  }

  async #run(): Promise<void> {
    const { spool } = this.#options;
    const { signal } = this.#stopping;
    for (;;) {
      await spool.waitBeyond(this.#position, signal);
      const isAtEnd = this.#position >= spool.endOffset;
      if (!isAtEnd) {
        await this.#letBatchFill();
        await this.#writeNext();
      }
      await this.#saveCursor(signal.aborted);
      if (signal.aborted && (isAtEnd || this.#fault)) return;
    }
  }

  /** Waits until the batch is full by bytes, old enough, or wanted at once. */
  async #letBatchFill(): Promise<void> {
    const { spool, batchBytes, batchAgeMs } = this.#options;
    if (this.#hurry.signal.aborted && !this.#stopping.signal.aborted) this.#hurry = new AbortController();
    if (this.#flushWaiters.size > 0) return;
    const { signal } = this.#hurry;
    const timer = AbortSignal.any([signal, AbortSignal.timeout(batchAgeMs)]);
    await spool.waitBeyond(this.#position + batchBytes, timer);
  }

  async #writeNext(): Promise<void> {
    const { spool, batchBytes, batchPoints } = this.#options;
    const { entries, nextOffset } = await spool.take(this.#position, batchBytes, true);
    for (let index = 0; index < entries.length; ) {
      const { points, next } = gather(entries, index, batchPoints);
      this.#oldestWaitingNs = entries[index]!.acceptedNs;
      if (points.length > 0 && !(await this.#writeUntilTaken(points))) return;
      index = next;
      this.#moveTo(index < entries.length ? entries[index]!.offset : nextOffset);
    }
    this.#moveTo(nextOffset);
  }

  /** False when the platform stops before the store took the points. */
  async #writeUntilTaken(points: readonly Point[]): Promise<boolean> {
    const { engine, metrics, logger } = this.#options;
    for (let retryMs = FIRST_RETRY_MS; ; retryMs = Math.min(retryMs * 2, LAST_RETRY_MS)) {
      const stopTimer = metrics.storeSeconds.startTimer();
      try {
        const rejected = await engine.write(points);
        stopTimer();
        metrics.batches.inc();
        metrics.storedPoints.inc(points.length - rejected.length);
        if (rejected.length > 0) await this.#quarantine(points, rejected);
        if (this.#fault) logger.info('the store takes batches again');
        this.#fault = undefined;
        return true;
      } catch (error) {
        metrics.storeFailures.inc();
        if (!this.#fault)
          logger.error({ err: error }, 'the store takes no batch; it stays in the spool and is tried again');
        this.#fault = messageOf(error);
        if (this.#stopping.signal.aborted) return false;
        const askedMs = error instanceof TidemarkError ? error.retryAfterMs : undefined;
        await delay(askedMs ?? retryMs, undefined, { signal: this.#stopping.signal }).catch(() => {});
      }
    }
  }

  /** Refusals take the way of every other: through the log. */
  async #quarantine(points: readonly Point[], rejected: readonly RejectedPoint[]): Promise<void> {
    const acceptedNs = this.#options.clock.nowNs();
    const { promise, resolve } = Promise.withResolvers<void>();
    rejected.forEach(({ index, reason, detail }, position) => {
      const point = points[index]!;
      this.#options.metrics.countRefusedByStore(reason);
      const sensor = point.tags.find(([key]) => key === 'sensor')?.[1];
      const payload = Buffer.from(encodeExactLine(point));
      const refused = {
        source: 'store',
        topic: point.measurement,
        reason,
        detail,
        sensor,
        timeNs: acceptedNs,
        payload,
      };
      const done = position === rejected.length - 1 ? resolve : undefined;
      this.#options.spool.append(recordKinds.refusal, acceptedNs, encodeRefusal(refused), [], done);
    });
    await promise;
  }

  #moveTo(offset: number): void {
    this.#position = offset;
    this.#options.spool.passed('store', offset);
    for (const wake of this.#flushWaiters) wake();
  }

  async #nextWrite(timeoutMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, timeoutMs);
    this.#flushWaiters.add(resolve);
    await promise;
    clearTimeout(timer);
    this.#flushWaiters.delete(resolve);
  }

  #lagMs(): number {
    if (this.#oldestWaitingNs === undefined) return 0;
    return Math.max(0, Number((this.#options.clock.nowNs() - this.#oldestWaitingNs) / 1_000_000n));
  }

  /** The cursor may pass only what the store itself has made durable. */
  async #saveCursor(isLast: boolean): Promise<void> {
    const { spool, engine, clock, logger } = this.#options;
    const nowMs = clock.monotonicMs();
    if ((!isLast && nowMs - this.#savedAtMs < SAVE_EVERY_MS) || this.#position <= spool.cursor('store'))
      return;
    this.#savedAtMs = nowMs;
    try {
      await engine.sync();
      await spool.advance('store', this.#position);
    } catch (error) {
      logger.error({ err: error }, 'the store cursor could not be saved; it will be later');
    }
  }
}

/** Points of the entries from `index` on, up to `maxPoints` or one entry, and the entry after them. */
function gather(
  entries: readonly SpoolEntry[],
  index: number,
  maxPoints: number,
): { points: Point[]; next: number } {
  const points: Point[] = [];
  let next = index;
  while (
    next < entries.length &&
    (points.length === 0 || points.length + entries[next]!.points.length <= maxPoints)
  ) {
    for (const point of entries[next]!.points) points.push(point);
    next++;
  }
  return { points, next };
}
