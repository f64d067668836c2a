const NEWLINE = 10;
const CARRIAGE_RETURN = 13;

/** One line without its end; `isCut` when it is the beginning of one that is too long. */
export interface ReadLine {
  bytes: Buffer;
  isCut: boolean;
}

/** Finds lines, ended by LF or CRLF, in what comes in chunks; holds one chunk and one line at most. */
export class LineReader {
  readonly #maxLineBytes: number;
  #held: Buffer = Buffer.alloc(0);
  /** Where it is looked on for an end: what is before was searched. */
  #searched = 0;
  /** True behind the beginning of a line that is too long, up to its end. */
  #isSkipping = false;

  constructor(maxLineBytes: number) {
    this.#maxLineBytes = maxLineBytes;
  }

  /** Bytes of a line that has not ended. */
  get heldBytes(): number {
    return this.#held.length;
  }

  push(chunk: Buffer): void {
    this.#held = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
  }

  /** The next line, or undefined until more has come. */
  next(): ReadLine | undefined {
    if (this.#isSkipping && !this.#skip()) return undefined;
    const end = this.#held.indexOf(NEWLINE, this.#searched);
    const length = end === -1 ? this.#held.length : end;
    if (length > this.#maxLineBytes + 1) return this.#cut();
    if (end === -1) {
      this.#searched = this.#held.length;
      return undefined;
    }
    const bytes = this.#held.subarray(0, this.#held[end - 1] === CARRIAGE_RETURN ? end - 1 : end);
    if (bytes.length > this.#maxLineBytes) return this.#cut();
    this.#drop(end + 1);
    return { bytes, isCut: false };
  }

  /** What has come of a line that did not end; there is nothing behind it. */
  rest(): Buffer {
    const rest = this.#isSkipping ? this.#held.subarray(0, 0) : this.#held;
    this.#drop(this.#held.length);
    return rest;
  }

  #cut(): ReadLine {
    const bytes = Buffer.from(this.#held.subarray(0, this.#maxLineBytes));
    this.#drop(this.#maxLineBytes);
    this.#isSkipping = true;
    return { bytes, isCut: true };
  }

  /** Passes over the rest of a line that was cut; false while its end has not come. */
  #skip(): boolean {
    const end = this.#held.indexOf(NEWLINE);
    this.#drop(end === -1 ? this.#held.length : end + 1);
    this.#isSkipping = end === -1;
    return end !== -1;
  }

  #drop(bytes: number): void {
    this.#held = this.#held.subarray(bytes);
    this.#searched = 0;
  }
}
