import { unlink } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type Clock,
  type Logger,
  messageOf,
  type PartHealth,
  type Point,
  type PointColumns,
  type Registry,
  syncPath,
  TidemarkError,
} from '@tidemark/core';
import { type Batch, clearBatch, type Done, newBatch } from './batch.ts';
import { type CursorName, type CursorOffsets, Cursors } from './cursors.ts';
import { DamageKeeper } from './damage.ts';
import type { SpoolEntry } from './entry.ts';
import { SpoolMetrics } from './metrics.ts';
import {
  type DecodedRecord,
  type Payload,
  type RecordKind,
  type RecordStamps,
  recordKinds,
} from './record.ts';
import { recover, type SegmentInfo, tellNewest } from './recover.ts';
import { segmentPath } from './segment.ts';
import { readSegment } from './segment-reader.ts';
import { SegmentWriter } from './segment-writer.ts';
import { Tail } from './tail.ts';
import { Waiters } from './waiters.ts';

/**
 * Un-fsynced bytes at which appends are refused: fsync is that far behind. Twice as much may wait, what is being
 * written and what comes meanwhile, and takes some ten times its bytes in memory.
 */
const MAX_PENDING_BYTES = 16 * 1024 * 1024;
/** Decoded entries kept in memory, by their bytes in the log. */
const TAIL_BYTES = 64 * 1024 * 1024;
/** How much a reader takes from the disk at once. */
const READ_CHUNK_BYTES = 1024 * 1024;
/** Enough for the first entry of most messages. */
const FIRST_ENTRY_BYTES = 4096;
/** The newest log, kept although all have read it: what was stamped in it is known again after a restart. */
const MEMORY_BYTES = 32 * 1024 * 1024;
/** A group commit that takes longer turns health red: a disk that hangs never says so. */
const SLOW_COMMIT_MS = 5000;
/** Pause before a write that failed is tried again. */
const HOLD_RETRY_MS = 250;

export interface SpoolOptions {
  directory: string;
  segmentBytes: number;
  maxBytes: number;
  /** The log goes on at or behind this offset, also when its files are gone: others know entries by their offsets. */
  leastOffset?: number;
  clock: Clock;
  /** Told the newest records, in their order, when the spool starts. */
  onRecovered?: (record: DecodedRecord) => void;
  logger: Logger;
  metrics: Registry;
}

/**
 * The log: ordered, segmented, checksummed, on local disk. `append` calls back once its records are fsynced,
 * in the order of the calls, one fdatasync for all that arrived meanwhile (group commit). When the disk is
 * full or fails, nothing is called back: the batch is held and tried again until it is durable, or the spool stops.
 */
export class Spool {
  readonly #options: SpoolOptions;
  readonly #metrics: SpoolMetrics;
  readonly #damage: DamageKeeper;
  readonly #tail = new Tail(TAIL_BYTES);
  #cursors!: Cursors;
  #segments: SegmentInfo[] = [];
  #writer: SegmentWriter | undefined;
  #endOffset = 0;
  #lastStampNs = 0n;
  #pending: Batch = newBatch();
  #spare: Batch = newBatch();
  #flushing: Promise<void> | undefined;
  readonly #waiters = new Waiters();
  readonly #passed: CursorOffsets = { store: 0, quarantine: 0, quality: 0, alerts: 0, derived: 0 };
  #fault: string | undefined;
  /** When the group commit began that is under way. */
  #committingSinceMs: number | undefined;
  #isStopping = false;

  constructor(options: SpoolOptions) {
    this.#options = options;
    this.#damage = new DamageKeeper(options);
    this.#metrics = new SpoolMetrics(options.metrics, {
      usedBytes: () => this.usedBytes,
      backlogBytes: (name) => Math.max(0, this.#endOffset - this.#cursors.get(name)),
      backlogAgeMs: (name) => this.#backlogAgeMs(name),
    });
  }

  async start(): Promise<void> {
    const { directory, leastOffset = 0, onRecovered } = this.#options;
    const recovered = await recover(directory, this.#damage);
    this.#segments = recovered.segments;
    this.#endOffset = Math.max(recovered.endOffset, leastOffset);
    this.#lastStampNs = recovered.lastStampNs;
    if (onRecovered) await this.#tellNewest(onRecovered);
    this.#cursors = await Cursors.load({
      directory,
      firstOffset: this.firstOffset,
      endOffset: this.#endOffset,
      damage: this.#damage,
    });
    await this.#reclaim();
  }

  /** Resolves when nothing waits for its fsync, or when the disk takes nothing: what waits was promised to nobody. */
  drain(): Promise<void> {
    return this.#waiters.until(() => this.#flushing === undefined || this.#fault !== undefined);
  }

  /** Makes what is pending durable and closes the files. What cannot be written now is called back with an error. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#flushing;
    this.#giveUp(this.#pending);
    await this.#writer?.close();
    this.#writer = undefined;
    this.#waiters.wake();
  }

  /** The last stamp that was given to a reading, as far as the log knows; 0 when none was. */
  get lastStampNs(): bigint {
    return this.#lastStampNs;
  }

  get isStopping(): boolean {
    return this.#isStopping;
  }

  get firstOffset(): number {
    return this.#segments[0]?.base ?? this.#endOffset;
  }

  /** Log offset behind the newest durable entry. */
  get endOffset(): number {
    return this.#endOffset;
  }

  get usedBytes(): number {
    return this.#segments.reduce((sum, { base, end }) => sum + end - base, 0);
  }

  /** Why nothing may be appended now, or undefined. To be asked before each message. */
  refusal(): TidemarkError | undefined {
    if (this.#isStopping)
      return new TidemarkError('spool_failed', 'the spool is stopping', { retryable: true });
    if (this.#pending.buffer.length <= MAX_PENDING_BYTES) return undefined;
    this.#metrics.refused.inc();
    const message = this.#fault ?? this.#slowness() ?? 'the spool is behind its disk';
    return new TidemarkError('spool_full', message, { retryable: true, retryAfterMs: 5000 });
  }

  /**
   * Appends one record: points, or a refusal's text. `done` means that it, and everything appended before it,
   * is on stable storage. Several records of one message give `done` with the last.
   */
  append(
    kind: RecordKind,
    acceptedNs: bigint,
    payload: Payload,
    points: readonly Point[] | PointColumns,
    done?: Done,
    stamps?: RecordStamps,
  ): void {
    const batch = this.#pending;
    if (batch.block.length === 0) batch.sinceMs = this.#options.clock.monotonicMs();
    const start = batch.buffer.length;
    batch.buffer.push(kind, acceptedNs, payload, stamps);
    batch.block.push(
      start,
      batch.buffer.length,
      kind,
      acceptedNs,
      points,
      typeof payload === 'string' ? payload : '',
    );
    if (kind === recordKinds.refusal) batch.holdsRefusal = true;
    if (stamps?.areNew) batch.lastStampNs = acceptedNs;
    if (done) batch.dones.push(done);
    this.#flushing ??= this.#flush();
  }

  /** Calls back behind all that was appended before, in its turn: what leaves nothing to write is answered by it. */
  follow(done: Done): void {
    if (this.#flushing === undefined) {
      done();
      return;
    }
    const batch = this.#pending;
    if (batch.dones.length === 0) batch.sinceMs = this.#options.clock.monotonicMs();
    batch.dones.push(done);
  }

  /**
   * Durable entries from `offset` on, about `maxBytes` of them; none at the end. `keepsDamage` is for the
   * durable cursors, which start at entries: what they find unreadable is set aside and counted.
   */
  async take(
    offset: number,
    maxBytes: number,
    keepsDamage = false,
  ): Promise<{ entries: SpoolEntry[]; nextOffset: number }> {
    const from = Math.max(offset, this.firstOffset);
    if (from >= this.#endOffset) return { entries: [], nextOffset: this.#endOffset };
    const recent = this.#tail.read(from, maxBytes);
    if (recent) return { entries: recent, nextOffset: recent.at(-1)?.nextOffset ?? this.#endOffset };
    const segment = this.#segments.find(({ end }) => end > from);
    if (!segment) return { entries: [], nextOffset: this.#endOffset };
    try {
      return await readSegment({
        path: segmentPath(this.#options.directory, segment.base),
        base: segment.base,
        offset: from,
        limit: segment.end,
        chunkBytes: Math.min(READ_CHUNK_BYTES, maxBytes),
        damage: keepsDamage ? this.#damage : undefined,
      });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      // Reclaimed since it was looked up, which a live reader must expect; or removed by somebody else.
      if (keepsDamage) this.#damage.missing(from, segment.end - from);
      return { entries: [], nextOffset: segment.end };
    }
  }

  /** Resolves when there is something behind `offset`, when the spool stops, when the signal aborts, or after `withinMs`. */
  waitBeyond(offset: number, signal: AbortSignal, withinMs?: number): Promise<void> {
    return this.#waiters.until(() => this.#endOffset > offset || this.#isOver(signal), signal, withinMs);
  }

  /** As `waitBeyond`, when the quarantine's reader has anything to read: commits without a refusal wake nobody. */
  waitForRefusal(signal: AbortSignal): Promise<void> {
    const hasMore = (): boolean => this.#endOffset > this.#passed.quarantine;
    return this.#waiters.until(() => hasMore() || this.#isOver(signal), signal);
  }

  cursor(name: CursorName): number {
    return this.#cursors.get(name);
  }

  /** Moves a durable cursor; everything before it is on stable storage elsewhere. */
  async advance(name: CursorName, offset: number): Promise<void> {
    if (offset <= this.#cursors.get(name)) return;
    await this.#cursors.set(name, offset);
    await this.#reclaim();
  }

  /** Takes a durable cursor back to `offset`, or to where the log now begins. Before anything reads behind it. */
  rewind(name: CursorName, offset: number): void {
    this.#cursors.rewind(name, Math.max(offset, this.firstOffset));
  }

  /** Nobody reads behind the cursor in this run: it holds nothing. */
  release(name: CursorName): void {
    this.#cursors.release(name);
    this.passed(name, Number.POSITIVE_INFINITY);
  }

  /** Notes how far a durable cursor's reader has come; what all have read leaves the memory. */
  passed(name: CursorName, offset: number): void {
    this.#passed[name] = offset;
    this.#tail.release(Math.min(...Object.values(this.#passed)));
  }

  /** How far a durable cursor's reader has come; the quarantine's is past all that holds no refusal. */
  positionOf(name: CursorName): number {
    return this.#passed[name];
  }

  health(): PartHealth {
    const fault = this.#fault ?? this.#slowness();
    return { name: 'spool', status: fault ? 'fail' : 'pass', message: fault ?? 'accepting' };
  }

  /** What to say of a disk that neither takes nor refuses what is written. */
  #slowness(): string | undefined {
    if (this.#committingSinceMs === undefined) return undefined;
    const forMs = this.#options.clock.monotonicMs() - this.#committingSinceMs;
    if (forMs <= SLOW_COMMIT_MS) return undefined;
    return `the disk has not finished a write for ${Math.floor(forMs / 1000)} s; publishers are held back`;
  }

  #isOver(signal: AbortSignal): boolean {
    return signal.aborted || this.#isStopping;
  }

  /** Age of the first entry that a cursor's reader has not passed; 0 when it has passed all. */
  async #backlogAgeMs(name: CursorName): Promise<number> {
    const from = Math.max(this.#passed[name], this.#cursors.get(name));
    // A log that cannot be read is told of by the reader itself.
    const { entries } = await this.take(from, FIRST_ENTRY_BYTES).catch(() => ({ entries: [] }));
    const [first] = entries;
    if (!first) return 0;
    return Math.max(0, Number(this.#options.clock.nowNs() - first.acceptedNs) / 1e6);
  }

  async #flush(): Promise<void> {
    while (this.#pending.dones.length > 0 || this.#pending.block.length > 0) {
      // What is read from the sockets in the same turn of the event loop goes into the same fdatasync.
      await new Promise(setImmediate);
      this.#committingSinceMs = this.#options.clock.monotonicMs();
      const batch = this.#pending;
      this.#pending = this.#spare;
      const isDurable = batch.block.length === 0 || (await this.#commit(batch));
      if (isDurable) this.#acknowledge(batch);
      else this.#giveUp(batch);
      clearBatch(batch);
      this.#spare = batch;
      this.#committingSinceMs = undefined;
      if (!isDurable) break;
    }
    this.#flushing = undefined;
    this.#waiters.wake();
  }

  /** Writes until it succeeds; false when the spool was stopped before it did. */
  async #commit(batch: Batch): Promise<boolean> {
    const { bytes } = batch.buffer;
    for (;;) {
      try {
        const base = await this.#write(bytes);
        this.#publish(batch, base);
        if (this.#fault) this.#options.logger.info('the spool accepts again');
        this.#fault = undefined;
        return true;
      } catch (error) {
        this.#metrics.failures.inc();
        if (!this.#fault)
          this.#options.logger.error({ err: error }, 'the spool cannot write; publishers are held back');
        this.#fault = messageOf(error);
        this.#waiters.wake();
      }
      if (this.#isStopping) return false;
      await delay(HOLD_RETRY_MS);
    }
  }

  #acknowledge({ dones, sinceMs }: Batch): void {
    for (const done of dones) done();
    if (dones.length > 0)
      this.#metrics.ackSeconds.observe((this.#options.clock.monotonicMs() - sinceMs) / 1000);
  }

  /** It was promised to nobody, but somebody may count it, or wait for an answer. */
  #giveUp({ dones }: Batch): void {
    if (dones.length === 0) return;
    const message = `the spool stopped before the disk took it: ${this.#fault}`;
    const error = new TidemarkError('spool_failed', message, { retryable: true });
    this.#options.logger.error(
      { err: error, messages: dones.length },
      'what nobody was promised is not kept',
    );
    for (const done of dones.splice(0)) done(error);
  }

  /** Writes and fsyncs; returns the log offset of the first byte. */
  async #write(bytes: Buffer): Promise<number> {
    await this.#makeRoom();
    const writer = await this.#writerFor(bytes.length);
    writer.write(bytes);
    const base = writer.end;
    const stopTimer = this.#metrics.fsyncSeconds.startTimer();
    try {
      await writer.sync(bytes.length);
    } catch (error) {
      await this.#abandon(writer);
      throw error;
    }
    stopTimer();
    return base;
  }

  async #tellNewest(tell: (record: DecodedRecord) => void): Promise<void> {
    const { directory, logger } = this.#options;
    try {
      await tellNewest({ directory, segments: this.#segments, maxBytes: this.#memoryBytes, tell });
    } catch (error) {
      logger.warn({ err: error }, 'the newest log cannot be read: what is sent again may get a new time');
    }
  }

  get #memoryBytes(): number {
    return Math.min(MEMORY_BYTES, Math.floor(this.#options.maxBytes / 4));
  }

  /** At the limit, the newest segment may be all that is left: then it is closed, so that it can go too. */
  async #makeRoom(): Promise<void> {
    const { maxBytes } = this.#options;
    if (this.usedBytes < maxBytes) return;
    await this.#reclaim(0);
    if (this.usedBytes < maxBytes) return;
    if (this.#cursors.lowest >= this.#endOffset) {
      await this.#closeWriter();
      await this.#writerFor(0);
      await this.#remove(this.#segments.length - 1);
    }
    if (this.usedBytes >= maxBytes)
      throw new TidemarkError('spool_full', `the spool holds its limit of ${maxBytes} bytes`);
  }

  async #closeWriter(): Promise<void> {
    const writer = this.#writer;
    this.#writer = undefined;
    await writer?.close();
  }

  async #writerFor(moreBytes: number): Promise<SegmentWriter> {
    const { directory, segmentBytes } = this.#options;
    if (this.#writer && this.#writer.sizeBytes + moreBytes > segmentBytes) await this.#closeWriter();
    if (!this.#writer) {
      const base = Math.max(this.#segments.at(-1)?.end ?? 0, this.#endOffset);
      this.#writer = await SegmentWriter.create(directory, {
        base,
        lastStampNs: this.#lastStampNs,
        maxBytes: segmentBytes,
      });
      this.#segments.push({ base, end: this.#writer.end });
    }
    return this.#writer;
  }

  /**
   * A segment whose fsync failed is never written or fsynced again; its batch goes into a new one. One that held
   * nothing gives its place to the next, so that a disk that goes on failing is not filled with them.
   */
  async #abandon(writer: SegmentWriter): Promise<void> {
    if (writer.isEmpty) this.#segments.pop();
    this.#writer = undefined;
    await writer.close();
  }

  #publish(batch: Batch, base: number): void {
    batch.block.base = base;
    this.#lastStampNs = batch.lastStampNs ?? this.#lastStampNs;
    const isNothingToQuarantine = !batch.holdsRefusal && this.#passed.quarantine >= this.#endOffset;
    this.#endOffset = base + batch.buffer.length;
    if (isNothingToQuarantine) this.#passed.quarantine = this.#endOffset;
    this.#segments.at(-1)!.end = this.#endOffset;
    this.#metrics.appendedBytes.inc(batch.buffer.length);
    this.#metrics.commits.inc();
    this.#tail.push({ offset: base, nextOffset: this.#endOffset, entries: batch.block });
    this.#waiters.wake();
  }

  /** Removes segments that every durable cursor has passed, but for the newest `keptBytes` of the log. */
  async #reclaim(keptBytes = this.#memoryBytes): Promise<void> {
    const limit = Math.min(this.#cursors.lowest, this.#endOffset - keptBytes);
    const next = this.#segments.findIndex(({ end }) => end > limit);
    await this.#remove(Math.min(next === -1 ? Number.POSITIVE_INFINITY : next, this.#segments.length - 1));
  }

  /** Removes the oldest segments. */
  async #remove(count: number): Promise<void> {
    if (count <= 0) return;
    for (const { base } of this.#segments.splice(0, count))
      await unlink(segmentPath(this.#options.directory, base));
    await syncPath(this.#options.directory);
  }
}
