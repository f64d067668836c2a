/** Bytes that others are compared with, four at a time. */
export class BytePattern {
  readonly length: number;
  /** Of four bytes each, the first one lowest; zeros fill the last. */
  readonly #words: Int32Array;

  /** A copy of the bytes from `start` up to `end`. */
  constructor(bytes: Uint8Array, start: number, end: number) {
    this.length = end - start;
    this.#words = new Int32Array((this.length + 3) >> 2);
    for (let at = 0; at < this.length; at++) this.#words[at >> 2]! |= bytes[start + at]! << ((at & 3) << 3);
  }

  /** True when these bytes stand at `start`, and something behind them. */
  isAt(view: DataView, start: number): boolean {
    const words = this.#words;
    if (start + this.length >= view.byteLength) return false;
    const wholeWords = this.length >> 2;
    for (let index = 0; index < wholeWords; index++)
      if (view.getInt32(start + (index << 2), true) !== words[index]) return false;
    for (let at = wholeWords << 2; at < this.length; at++)
      if (view.getUint8(start + at) !== ((words[wholeWords]! >>> ((at & 3) << 3)) & 255)) return false;
    return true;
  }
}
