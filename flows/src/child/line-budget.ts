import type { LogLevel } from '../messages.ts';

const WINDOW_MS = 10_000;
const MAX_LINES = 200;
const MAX_CHARACTERS = 4000;

/**
 * Passes lines on to the platform's log: 200 within 10 s at most, since a flow may write without end, and each line
 * costs the platform time. Those beyond are counted.
 */
export class LineBudget {
  readonly #send: (level: LogLevel, text: string) => void;
  #windowEndMs = 0;
  #left = 0;
  #dropped = 0;

  constructor(send: (level: LogLevel, text: string) => void) {
    this.#send = send;
  }

  tell(level: LogLevel, text: string): void {
    const line = text.trim();
    if (line === '') return;
    const nowMs = performance.now();
    if (nowMs >= this.#windowEndMs) {
      this.#windowEndMs = nowMs + WINDOW_MS;
      this.#left = MAX_LINES;
    }
    if (this.#left === 0) {
      this.#dropped += 1;
      return;
    }
    this.#left -= 1;
    this.#send(level, line.slice(0, MAX_CHARACTERS));
  }

  /** Sends what is written to the stream from now on the same way. */
  takeOver(stream: NodeJS.WriteStream, level: LogLevel): void {
    stream.write = (chunk: unknown, encoding?: unknown, done?: unknown): boolean => {
      this.tell(level, typeof chunk === 'string' ? chunk : Buffer.from(chunk as Uint8Array).toString());
      const callback = typeof encoding === 'function' ? encoding : done;
      if (typeof callback === 'function') process.nextTick(callback as () => void);
      return true;
    };
  }

  /** How many lines were dropped since it was asked last. */
  takeDropped(): number {
    const dropped = this.#dropped;
    this.#dropped = 0;
    return dropped;
  }
}
