import type { Logger } from '@tidemark/core';

const AT_MOST_EVERY_MS = 10_000;

/**
 * Tells the log of something that may happen thousands of times a second: one line for all that came since the one
 * before, every 10 s at most.
 */
export class LimitedLog {
  readonly #logger: Logger;
  readonly #text: string;
  #count = 0;
  #lastError: unknown;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(logger: Logger, text: string) {
    this.#logger = logger;
    this.#text = text;
  }

  /** It happened once more. */
  tell(error: unknown): void {
    this.#lastError = error;
    if (this.#count++ > 0) return;
    if (this.#isStopped) queueMicrotask(() => this.#say());
    else this.#timer ??= this.#sayIn(0);
  }

  /** Says what is left. What happens from now on is told as soon as the code that runs has ended. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#isStopped = true;
    this.#say();
  }

  #sayIn(ms: number): NodeJS.Timeout {
    const next = (): void => {
      this.#timer = this.#count > 0 ? this.#sayIn(AT_MOST_EVERY_MS) : undefined;
      this.#say();
    };
    return setTimeout(next, ms).unref();
  }

  #say(): void {
    if (this.#count === 0) return;
    this.#logger.error({ err: this.#lastError, times: this.#count }, this.#text);
    this.#count = 0;
    this.#lastError = undefined;
  }
}
