const BYTES = 8;
const FIRST_CAPACITY = 8;

/** Nanoseconds, 8 bytes each. They are read as numbers where that will do: a bigint is an object of its own. */
export class TimeColumn {
  #view = new DataView(new ArrayBuffer(FIRST_CAPACITY * BYTES));
  #length = 0;

  push(timeNs: bigint): void {
    if (this.#length * BYTES === this.#view.byteLength) this.#grow();
    this.#view.setBigInt64(this.#length++ * BYTES, timeNs, true);
  }

  get length(): number {
    return this.#length;
  }

  /** As two halves: the lower and the upper 32 bits. */
  pushWords(low: number, high: number): void {
    if (this.#length * BYTES === this.#view.byteLength) this.#grow();
    const at = this.#length++ * BYTES;
    this.#view.setInt32(at, low, true);
    this.#view.setInt32(at + BYTES / 2, high, true);
  }

  at(index: number): bigint {
    return this.#view.getBigInt64(index * BYTES, true);
  }

  /** In ms, rounded to some 0.2 µs; of two times the later is never the smaller. */
  msAt(index: number): number {
    return this.nsAt(index) / 1e6;
  }

  /** As a double, which holds times of now to some 0.2 µs. */
  nsAt(index: number): number {
    return this.highAt(index) * 2 ** 32 + this.lowAt(index);
  }

  /** The lower half of the nanoseconds, unsigned. */
  lowAt(index: number): number {
    return this.#view.getUint32(index * BYTES, true);
  }

  /** The upper half of the nanoseconds, signed. */
  highAt(index: number): number {
    return this.#view.getInt32(index * BYTES + BYTES / 2, true);
  }

  /** Makes room for so many more at once. */
  reserve(count: number): void {
    const needed = (this.#length + count) * BYTES;
    if (needed > this.#view.byteLength) this.#grow(needed);
  }

  /** Those of `times` from `start` up to `end`. */
  append(times: TimeColumn, start: number, end: number): void {
    this.reserve(end - start);
    const bytes = new Uint8Array(times.#view.buffer, start * BYTES, (end - start) * BYTES);
    new Uint8Array(this.#view.buffer).set(bytes, this.#length * BYTES);
    this.#length += end - start;
  }

  /** Forgets all times and keeps the room. */
  clear(): void {
    this.#length = 0;
  }

  #grow(neededBytes = 0): void {
    const larger = new Uint8Array(Math.max(neededBytes, this.#view.byteLength * 2));
    larger.set(new Uint8Array(this.#view.buffer));
    this.#view = new DataView(larger.buffer);
  }
}
