import { constants, writeSync } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { syncPath } from '@tidemark/core';
import { encodeHeader, SEGMENT_HEADER_BYTES, type SegmentHeader, segmentPath } from './segment.ts';

/** The segment being written. Its bytes count only once `append` has resolved. */
export class SegmentWriter {
  readonly base: number;
  readonly #handle: FileHandle;
  /** Position behind the last durable byte. */
  #durable = SEGMENT_HEADER_BYTES;
  /** Position behind the last byte ever written, durable or not. */
  #written = SEGMENT_HEADER_BYTES;

  private constructor(base: number, handle: FileHandle) {
    this.base = base;
    this.#handle = handle;
  }

  /**
   * Makes a new segment; resolves once its header and its directory entry are durable. A file of that name, which
   * an earlier try left when its fsync failed, is removed: the same file is never synced again.
   */
  static async create(directory: string, header: Omit<SegmentHeader, 'format'>): Promise<SegmentWriter> {
    const flags = constants.O_CREAT | constants.O_WRONLY | constants.O_EXCL;
    const path = segmentPath(directory, header.base);
    await rm(path, { force: true });
    const handle = await open(path, flags, 0o600);
    try {
      await handle.write(encodeHeader(header), 0, SEGMENT_HEADER_BYTES, 0);
      await handle.datasync();
      await syncPath(directory);
    } catch (error) {
      await handle.close();
      throw error;
    }
    return new SegmentWriter(header.base, handle);
  }

  /** Log offset behind the last durable byte. */
  get end(): number {
    return this.base + this.#durable;
  }

  /** Log offset that no byte of this segment reaches, durable or not. */
  get writtenEnd(): number {
    return this.base + this.#written;
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
    for (let done = 0; done < bytes.length; ) {
      done += writeSync(this.#handle.fd, bytes, done, bytes.length - done, this.#durable + done);
      this.#written = Math.max(this.#written, this.#durable + done);
    }
  }

  /**
   * Makes the `length` bytes just written durable. After a failure the segment must not be used again: the
   * kernel may have dropped the dirty pages and would report a second fdatasync as success.
   */
  async sync(length: number): Promise<void> {
    await this.#handle.datasync();
    this.#durable += length;
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}
