import { constants, writeSync } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { syncPath } from '@tidemark/core';
import { encodeHeader, SEGMENT_HEADER_BYTES, type SegmentHeader, segmentPath } from './segment.ts';

/**
 * Zeros written ahead of small batches: while a file grows, and while its blocks are new, each fdatasync waits for the file
 * system's journal too, which takes twice as long on ext4. A batch that is not small pays that beside its own bytes.
 */
const AHEAD_BYTES = 128 * 1024;
const SMALL_BATCH_BYTES = 8 * 1024;
const zeros = Buffer.alloc(AHEAD_BYTES);

interface SegmentOptions extends Omit<SegmentHeader, 'format'> {
  /** What the file should not grow beyond for zeros. */
  maxBytes: number;
}

/** The segment being written. Its bytes count only once `append` has resolved. */
export class SegmentWriter {
  readonly base: number;
  readonly #handle: FileHandle;
  readonly #maxBytes: number;
  /** Position behind the last durable byte. */
  #durable = SEGMENT_HEADER_BYTES;
  /** Position behind the zeros written ahead; 0 when there are none. */
  #reserved = 0;

  private constructor({ base, maxBytes }: SegmentOptions, handle: FileHandle) {
    this.base = base;
    this.#maxBytes = maxBytes;
    this.#handle = handle;
  }

  /**
   * Makes a new segment; resolves once its header and its directory entry are durable. A file of that name, which
   * an earlier try left when its fsync failed, is removed: the same file is never synced again.
   */
  static async create(directory: string, options: SegmentOptions): Promise<SegmentWriter> {
    const flags = constants.O_CREAT | constants.O_WRONLY | constants.O_EXCL;
    const path = segmentPath(directory, options.base);
    await rm(path, { force: true });
    const handle = await open(path, flags, 0o600);
    try {
      await handle.write(encodeHeader(options), 0, SEGMENT_HEADER_BYTES, 0);
      await handle.datasync();
      await syncPath(directory);
    } catch (error) {
      await handle.close();
      throw error;
    }
    return new SegmentWriter(options, handle);
  }

  /** Log offset behind the last durable byte. */
  get end(): number {
    return this.base + this.#durable;
  }

  /** True when nothing in it but the header is durable. */
  get isEmpty(): boolean {
    return this.#durable === SEGMENT_HEADER_BYTES;
  }

  get sizeBytes(): number {
    return this.#durable;
  }

  /**
   * Writes behind the last durable byte; may be repeated with the same bytes after it failed. Synchronous: a
   * copy into the page cache takes some 15 µs, a round trip through the thread pool five times that.
   */
  write(bytes: Buffer): void {
    for (let done = 0; done < bytes.length; )
      done += writeSync(this.#handle.fd, bytes, done, bytes.length - done, this.#durable + done);
    if (bytes.length <= SMALL_BATCH_BYTES) this.#reserve(this.#durable + bytes.length);
  }

  /**
   * Makes the `length` bytes just written durable. After a failure the segment must not be used again: the
   * kernel may have dropped the dirty pages and would report a second fdatasync as success.
   */
  async sync(length: number): Promise<void> {
    await this.#handle.datasync();
    this.#durable += length;
  }

  /** Cuts off zeros, and what could not be synced: the next process would read it, and take it for durable. */
  async close(): Promise<void> {
    // What stays behind all the same ends where the next segment begins.
    await this.#handle.truncate(this.#durable).catch(() => {});
    await this.#handle.close();
  }

  /** Writes zeros behind the batch that reaches the end of those before. */
  #reserve(end: number): void {
    const bytes = Math.min(AHEAD_BYTES, this.#maxBytes - end);
    if (end <= this.#reserved || bytes <= 0) return;
    try {
      this.#reserved = end + writeSync(this.#handle.fd, zeros, 0, bytes, end);
    } catch {
      // A full disk has room for records at most; another fault comes back with the fdatasync.
      this.#reserved = Number.POSITIVE_INFINITY;
    }
  }
}
