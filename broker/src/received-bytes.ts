/**
 * The bytes of a connection that its parser has not consumed, as mqtt-packet asks for them. Its own list of buffers
 * makes a new Buffer for each number that is read from it, six for a PUBLISH; here they are read where they lie.
 */
export class ReceivedBytes {
  #bytes: Buffer = empty;
  #start = 0;
  #end = 0;
  /** Whether there may be room behind the end: a chunk's own memory is not ours to write to. */
  #isOwn = false;

  get length(): number {
    return this.#end - this.#start;
  }

  append(chunk: Buffer): void {
    const kept = this.length;
    if (kept === 0) {
      this.#bytes = chunk;
      this.#isOwn = false;
      this.#start = 0;
      this.#end = chunk.length;
      return;
    }
    if (!this.#isOwn || this.#end + chunk.length > this.#bytes.length) {
      // Doubled, so that a large packet in many chunks is not copied with each of them.
      const larger = Buffer.allocUnsafeSlow((kept + chunk.length) * 2);
      this.#bytes.copy(larger, 0, this.#start, this.#end);
      this.#bytes = larger;
      this.#isOwn = true;
      this.#start = 0;
      this.#end = kept;
    }
    chunk.copy(this.#bytes, this.#end);
    this.#end += chunk.length;
  }

  consume(count: number): void {
    this.#start += Math.min(count, this.length);
  }

  readUInt8(at: number): number {
    return this.#bytes[this.#place(at, 1)]!;
  }

  readUInt16BE(at: number): number {
    return this.#bytes.readUInt16BE(this.#place(at, 2));
  }

  readUInt32BE(at: number): number {
    return this.#bytes.readUInt32BE(this.#place(at, 4));
  }

  /** Shares memory with what was received, which is never written over. */
  slice(from: number, to: number): Buffer {
    return this.#bytes.subarray(this.#start + from, this.#start + Math.min(to, this.length));
  }

  toString(encoding: BufferEncoding, from: number, to: number): string {
    return this.#bytes.toString(encoding, this.#start + from, this.#start + Math.min(to, this.length));
  }

  #place(at: number, size: number): number {
    if (at + size > this.length) throw new RangeError('the packet is shorter than it says');
    return this.#start + at;
  }
}

const empty = Buffer.alloc(0);
