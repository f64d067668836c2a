import { setTimeout as delay } from 'node:timers/promises';
import {
  type Clock,
  encodeExactLine,
  type Freshness,
  isOwnMeasurement,
  type Logger,
  messageOf,
  type PartHealth,
  PointColumns,
  TidemarkError,
  tagOf,
} from '@tidemark/core';
import { type Engine, type RejectedPoint, Turns } from '@tidemark/store';
import type { IngestMetrics } from './metrics.ts';
import { Outage } from './outage.ts';
import type { QuarantineStore } from './quarantine/quarantine-store.ts';
import { underPresentIds } from './renamed-points.ts';
import type { SpoolEntry } from './spool/entry.ts';
import type { Spool } from './spool/spool.ts';
import type { TravellerPoints } from './travellers/traveller-points.ts';

/** Taken from the log at once: decoding holds up the event loop, and with it acknowledgements. */
const READ_BYTES = 256 * 1024;
/** Pauses between tries of a batch: doubled from the first to the last, or what the store asks for. */
const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 5000;
/** The longest that a store's own wish is followed. */
const LONGEST_ASKED_RETRY_MS = 10 * 60_000;
/** A write that takes longer turns health red: a store that hangs may never say so. */
const SLOW_WRITE_MS = 10_000;
/** How often the durable cursor follows what was written. */
const SAVE_EVERY_MS = 1000;
/** How long the end may take: the process has 5 s in all, and what is left is safe in the log. */
const STOP_WITHIN_MS = 2000;

interface BatchWriterOptions {
  spool: Spool;
  engine: Engine;
  quarantine: QuarantineStore;
  metrics: IngestMetrics;
  clock: Clock;
  logger: Logger;
  /** Ids that sensors had before they were renamed, each with the one of now. */
  renamedIds: ReadonlyMap<string, string>;
  /** Makes the points of travellers' positions. */
  travellers: TravellerPoints;
  /** Told of the points that the store has now. */
  onWritten?: (points: PointColumns) => void;
  /** Called before the durable cursor passes what was told of; it stays when this throws. */
  beforeSave?: () => void;
  /** A batch is written when it has so many points, so many spooled bytes, or is so old. */
  batchPoints: number;
  batchBytes: number;
  batchAgeMs: number;
}

interface LogPart {
  entries: readonly SpoolEntry[];
  nextOffset: number;
}

/**
 * Moves points from the log into the store in batches, in order, one at a time. A batch that fails is tried
 * again until the store takes it; the points a store refuses for good go to the quarantine.
 */
export class BatchWriter implements Freshness {
  readonly #options: BatchWriterOptions;
  readonly #stopping = new AbortController();
  /** Aborted when nothing more may be begun. */
  readonly #tooLate = new AbortController();
  /** Aborted to cut the wait for a fuller batch short. */
  #hurry = new AbortController();
  #flushWaiters = new Set<() => void>();
  #running: Promise<void> | undefined;
  /** Behind the last entry that queries see. */
  #position = 0;
  #oldestWaitingNs: bigint | undefined;
  /** Read beyond the last batch. */
  #read: LogPart = { entries: [], nextOffset: 0 };
  /** When the batch before was taken from the log, or, after a pause, when the first new entry came. */
  #takenAtMs = 0;
  readonly #points = new PointColumns();
  #savedAtMs = 0;
  /** What no writing mends; told until the next start. */
  #loss: string | undefined;
  readonly #turns = new Turns();
  readonly #writing: Outage;
  readonly #reading: Outage;
  readonly #syncing: Outage;

  constructor(options: BatchWriterOptions) {
    this.#options = options;
    const figures = () => ({ backlogBytes: this.#backlogBytes });
    const outage = (begun: string, lasting: string, ended: string): Outage =>
      new Outage({ ...options, figures, texts: { begun, lasting, ended } });
    this.#writing = outage(
      'the store takes no batch; it stays in the spool and is tried again',
      'the store still takes no batch',
      'the store takes batches again',
    );
    this.#reading = outage(
      'the spool cannot be read; it is tried again',
      'the spool still cannot be read',
      'the spool is read again',
    );
    this.#syncing = outage(
      'the store cursor could not be saved; it will be later',
      'the store cursor still could not be saved',
      'the store cursor is saved again',
    );
  }

  /** Before the start: has what the store no longer holds, though the cursor has passed it, written again. */
  async takeBack(): Promise<void> {
    const { spool, engine, metrics, logger } = this.#options;
    const held = await engine.position();
    const cursor = spool.cursor('store');
    if (held === undefined || held >= cursor) return;
    spool.rewind('store', held);
    const from = spool.cursor('store');
    const lost = { rewrittenBytes: cursor - from, goneBytes: from - held };
    metrics.storeLostBytes.inc({ outcome: 'rewritten' }, lost.rewrittenBytes);
    metrics.storeLostBytes.inc({ outcome: 'gone' }, lost.goneBytes);
    logger.error(
      lost,
      'the store has lost what it had made durable; what the log still holds is written again',
    );
    if (lost.goneBytes > 0)
      this.#loss = `the store has lost ${lost.goneBytes} bytes of the log that are gone from there too; restore a backup`;
  }

  start(): void {
    this.#position = this.#options.spool.cursor('store');
    this.#running = this.#run();
  }

  /** Writes out what is in the log; what the store does not take in time stays there. */
  async stop(): Promise<void> {
    const isLate = delay(STOP_WITHIN_MS, undefined, { signal: this.#tooLate.signal }).catch(() => {});
    this.#stopping.abort();
    this.#hurry.abort();
    await Promise.race([this.#running, isLate]);
    this.#tooLate.abort();
    for (const outage of [this.#writing, this.#reading, this.#syncing]) outage.stop();
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

  /** Runs work on the store between two batches: nothing is written meanwhile. Before `start`, ahead of the first. */
  between<T>(work: () => Promise<T>): Promise<T> {
    return this.#turns.run(work);
  }

  /**
   * As `between`, once the durable cursor is where the writing is: what is removed then, no crash brings back.
   * Rejects with a retryable `store_unavailable` when the cursor cannot be saved.
   */
  betweenSaved<T>(work: () => Promise<T>): Promise<T> {
    return this.#turns.run(async () => {
      await this.#saveCursor().catch((cause: unknown) => {
        const message = `the store cursor cannot be saved: ${messageOf(cause)}`;
        throw new TidemarkError('store_unavailable', message, { cause, retryable: true });
      });
      return work();
    });
  }

  health(): PartHealth {
    const fault = this.#writing.fault ?? this.#reading.fault ?? this.#syncing.fault ?? this.#loss;
    const isBehind = this.#backlogBytes > this.#options.batchBytes;
    const waiting = fault || isBehind ? `; ${this.#backlogBytes} bytes wait in the spool` : '';
    return { name: 'store', status: fault ? 'fail' : 'pass', message: `${fault ?? 'writing'}${waiting}` };
  }

  get #backlogBytes(): number {
    return this.#options.spool.endOffset - this.#position;
  }

  async #run(): Promise<void> {
    const { spool } = this.#options;
    const { signal } = this.#stopping;
    for (;;) {
      await this.#waitForMore();
      const isAtEnd = this.#position >= spool.endOffset;
      if (!isAtEnd) {
        await this.#letBatchFill();
        try {
          await this.#writeNext();
          this.#reading.ended();
        } catch (error) {
          this.#reading.failed(error);
          await this.#pause(LAST_RETRY_MS);
        }
      }
      await this.#saveCursorWhenDue(signal.aborted);
      if (signal.aborted && (isAtEnd || this.#isHopeless())) return;
    }
  }

  /** True when the end cannot wait for the rest. */
  #isHopeless(): boolean {
    return (
      this.#tooLate.signal.aborted || this.#writing.fault !== undefined || this.#reading.fault !== undefined
    );
  }

  /** Also ends when there is a cursor to save: a full log takes nothing more before it is saved. */
  async #waitForMore(): Promise<void> {
    const { spool } = this.#options;
    const { signal } = this.#stopping;
    if (this.#position < spool.endOffset) return;
    const isSaved = this.#position <= spool.cursor('store');
    await spool.waitBeyond(this.#position, signal, isSaved ? undefined : SAVE_EVERY_MS);
    this.#takenAtMs = this.#options.clock.monotonicMs();
  }

  async #pause(pauseMs: number): Promise<void> {
    await delay(pauseMs, undefined, { signal: this.#stopping.signal }).catch(() => {});
  }

  /** Waits until the batch is full by bytes, old enough, or wanted at once. */
  async #letBatchFill(): Promise<void> {
    const { spool, clock, batchBytes, batchAgeMs } = this.#options;
    if (this.#hurry.signal.aborted && !this.#stopping.signal.aborted) this.#hurry = new AbortController();
    // Entries are left over from a batch that was full: there are more than enough.
    if (this.#flushWaiters.size > 0 || this.#read.entries.length > 0) return;
    // What arrived while the batch before was written has waited already.
    const leftMs = batchAgeMs - (clock.monotonicMs() - this.#takenAtMs);
    if (leftMs <= 0) return;
    await spool.waitBeyond(this.#position + batchBytes, this.#hurry.signal, Math.ceil(leftMs));
  }

  async #writeNext(): Promise<void> {
    const { clock, batchPoints } = this.#options;
    this.#takenAtMs = clock.monotonicMs();
    const { entries, nextOffset } = await this.#readOn(this.#read, this.#position);
    const end = endOfBatch(entries, batchPoints);
    this.#oldestWaitingNs = entries[0]?.acceptedNs;
    const behind = end < entries.length ? entries[end]!.offset : nextOffset;
    const readAhead = this.#readAhead({ entries: entries.slice(end), nextOffset }, behind);
    if (!(await this.#writeUntilTaken(entries.slice(0, end), behind))) return;
    for (const wake of this.#flushWaiters) wake();
    this.#read = await readAhead;
  }

  /**
   * The batch behind `offset`, read while the one before is written, where far more waits: reads from the disk
   * take a turn of the event loop each, and under load the turns are what a drain takes long for.
   */
  async #readAhead(read: LogPart, offset: number): Promise<LogPart> {
    const { spool, batchBytes } = this.#options;
    if (spool.endOffset - offset <= batchBytes) return read;
    // What could not be read now is read again, and told of, when its turn comes.
    return this.#readOn(read, offset).catch(() => read);
  }

  /** What was read behind `offset` and not written, and as much more as makes a batch. */
  async #readOn(read: LogPart, offset: number): Promise<LogPart> {
    const { spool, batchPoints, batchBytes } = this.#options;
    const entries = [...read.entries];
    let nextOffset = Math.max(read.nextOffset, offset);
    let points = entries.reduce((sum, { pointCount }) => sum + pointCount, 0);
    while (points < batchPoints && nextOffset - offset < batchBytes && nextOffset < spool.endOffset) {
      const part = await spool.take(nextOffset, READ_BYTES, true);
      for (const entry of part.entries) {
        entries.push(entry);
        points += entry.pointCount;
      }
      nextOffset = part.nextOffset;
    }
    return { entries, nextOffset };
  }

  /** Moves to `behind` in the same turn, for what comes between; false when the platform stops before. */
  async #writeUntilTaken(batch: readonly SpoolEntry[], behind: number): Promise<boolean> {
    const { metrics } = this.#options;
    const accepted = this.#pointsOf(batch);
    if (accepted.length === 0) {
      this.#moveTo(behind);
      return true;
    }
    const write = async (): Promise<void> => {
      await this.#write(batch, accepted);
      this.#moveTo(behind);
    };
    for (let retryMs = FIRST_RETRY_MS; ; retryMs = Math.min(retryMs * 2, LAST_RETRY_MS)) {
      if (this.#tooLate.signal.aborted) return false;
      try {
        await this.#watch(this.#turns.run(write));
        return true;
      } catch (error) {
        const { outage = 'other', retryAfterMs: askedMs } = error instanceof TidemarkError ? error : {};
        metrics.storeFailures.inc({ reason: outage });
        this.#writing.failed(error);
        if (this.#stopping.signal.aborted) return false;
        await this.#pause(askedMs === undefined ? retryMs : Math.min(askedMs, LONGEST_ASKED_RETRY_MS));
      }
    }
  }

  /** They stand until the next batch. Entries of one block follow one another in its columns. */
  #pointsOf(batch: readonly SpoolEntry[]): PointColumns {
    this.#points.clear();
    for (let index = 0; index < batch.length; ) {
      const { columns, firstPoint } = batch[index]!;
      let end = firstPoint;
      for (; batch[index]?.columns === columns; index++) end = batch[index]!.pointEnd;
      this.#points.append(columns, firstPoint, end);
    }
    return this.#points;
  }

  /** Ends an outage when the write is done in time; a store that takes long for each batch stays red. */
  async #watch(write: Promise<void>): Promise<void> {
    let isSlow = false;
    const timer = setTimeout(() => {
      isSlow = true;
      this.#writing.failed(new Error(`a write takes more than ${SLOW_WRITE_MS / 1000} s`));
    }, SLOW_WRITE_MS);
    await write.finally(() => clearTimeout(timer));
    if (!isSlow) this.#writing.ended();
  }

  async #write(batch: readonly SpoolEntry[], accepted: PointColumns): Promise<void> {
    const { engine, metrics, renamedIds, travellers } = this.#options;
    const points = await travellers.derive(underPresentIds(accepted, renamedIds));
    const stopTimer = metrics.storeSeconds.startTimer();
    const rejected = await engine.write(points).catch((error: unknown) => {
      travellers.forgetTouched();
      throw error;
    });
    stopTimer();
    this.#options.onWritten?.(points);
    if (rejected.length > 0) {
      travellers.forgetTouched();
      this.#setAside(batch, points, rejected);
    }
    metrics.batches.inc();
    metrics.storedPoints.inc(
      accepted.length - rejected.filter(({ index }) => index < accepted.length).length,
    );
  }

  /**
   * Straight into the quarantine, each by its place in the log: written again after a crash, the batch adds
   * nothing; and through the log they could wait for room that only this writer's cursor can make.
   */
  #setAside(batch: readonly SpoolEntry[], points: PointColumns, rejected: readonly RejectedPoint[]): void {
    const { quarantine, metrics, clock, logger } = this.#options;
    const offsetOf = offsetsOf(batch);
    const timeNs = clock.nowNs();
    const accepted = batch.reduce((sum, { pointCount }) => sum + pointCount, 0);
    const [own, foreign] = partition(
      rejected,
      ({ index }) => index >= accepted || isOwnMeasurement(points.measurementOf(index)),
    );
    const refusals = foreign.map(({ index, reason, detail }) => {
      const point = points.at(index);
      const sensor = tagOf(point.tags, 'sensor');
      const payload = Buffer.from(encodeExactLine(point));
      const topic = point.measurement;
      return {
        offset: offsetOf(index),
        part: { source: 'store', topic, reason, detail, sensor, timeNs, payload },
      };
    });
    // Our own points are no reading that a sender could mend.
    const [first] = own;
    if (first) {
      const context = {
        measurement: points.measurementOf(first.index),
        detail: first.detail,
        points: own.length,
      };
      logger.error(context, 'the store refuses points of ours');
    }
    metrics.ownPointsRefused.inc(own.length);
    if (refusals.length === 0) return;
    quarantine.add('store', refusals);
    for (const { reason } of foreign) metrics.countRefusedByStore(reason);
  }

  #moveTo(offset: number): void {
    this.#position = offset;
    this.#options.spool.passed('store', offset);
  }

  async #nextWrite(timeoutMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, timeoutMs);
    this.#flushWaiters.add(resolve);
    await promise;
    clearTimeout(timer);
    this.#flushWaiters.delete(resolve);
  }

  /** At least 1: 0 says that nothing waits. */
  #lagMs(): number {
    if (this.#oldestWaitingNs === undefined) return 1;
    return Math.max(1, Number((this.#options.clock.nowNs() - this.#oldestWaitingNs) / 1_000_000n));
  }

  async #saveCursorWhenDue(isLast: boolean): Promise<void> {
    const { spool, clock } = this.#options;
    const nowMs = clock.monotonicMs();
    // By then the store may be closed; the next start writes again what the cursor has not passed.
    if (this.#tooLate.signal.aborted) return;
    if ((!isLast && nowMs - this.#savedAtMs < SAVE_EVERY_MS) || this.#position <= spool.cursor('store'))
      return;
    this.#savedAtMs = nowMs;
    await this.#turns.run(() => this.#saveCursor()).catch(() => {});
  }

  /** The cursor may pass only what the store itself has made durable. To be called in a turn. */
  async #saveCursor(): Promise<void> {
    const { spool, engine } = this.#options;
    const position = this.#position;
    if (position <= spool.cursor('store')) return;
    try {
      await engine.sync(position);
      this.#options.beforeSave?.();
      await spool.advance('store', position);
      this.#syncing.ended();
    } catch (error) {
      this.#syncing.failed(error);
      throw error;
    }
  }
}

/** How many of the entries make one batch: up to `maxPoints`, or one entry. */
function endOfBatch(entries: readonly SpoolEntry[], maxPoints: number): number {
  let points = 0;
  let end = 0;
  while (end < entries.length && (points === 0 || points + entries[end]!.pointCount <= maxPoints)) {
    points += entries[end]!.pointCount;
    end++;
  }
  return end;
}

/** Finds the log offset of a point's entry, by its index in the batch. */
function offsetsOf(batch: readonly SpoolEntry[]): (index: number) => number {
  const offsets = batch.flatMap(({ offset, pointCount }) => new Array<number>(pointCount).fill(offset));
  return (index) => offsets[index]!;
}

function partition<Item>(items: readonly Item[], test: (item: Item) => boolean): [Item[], Item[]] {
  return [items.filter(test), items.filter((item) => !test(item))];
}
