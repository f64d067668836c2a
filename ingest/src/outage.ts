import { type Clock, formatTime, type Logger, messageOf } from '@tidemark/core';

/** How often the log says that an outage lasts. */
const REMIND_EVERY_MS = 60_000;

interface OutageOptions {
  /** What the log says when it begins, while it lasts, and when it has ended. */
  texts: { begun: string; lasting: string; ended: string };
  /** Figures that each of these lines carries. */
  figures: () => Record<string, unknown>;
  clock: Clock;
  logger: Logger;
}

/**
 * Something that fails again and again until it heals, told in the log once when it begins, at intervals while
 * it lasts, and once when it ends, however often it is tried.
 */
export class Outage {
  readonly #options: OutageOptions;
  #fault: string | undefined;
  #since: { ns: bigint; ms: number } | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: OutageOptions) {
    this.#options = options;
  }

  /** What is wrong, and since when; undefined while all is well. */
  get fault(): string | undefined {
    return this.#fault && this.#since && `${this.#fault}; since ${formatTime(this.#since.ns)}`;
  }

  /** It failed, for the first time or again. */
  failed(error: unknown): void {
    const { clock, logger, texts, figures } = this.#options;
    this.#fault = messageOf(error);
    if (this.#since) return;
    this.#since = { ns: clock.nowNs(), ms: clock.monotonicMs() };
    logger.error({ err: error, ...figures() }, texts.begun);
    this.#timer = setInterval(() => this.#remind(), REMIND_EVERY_MS).unref();
  }

  /** It works. */
  ended(): void {
    if (!this.#since) return;
    const { logger, texts, figures } = this.#options;
    logger.info({ lastedMs: this.#lastedMs(), ...figures() }, texts.ended);
    this.stop();
  }

  /** Says nothing more. */
  stop(): void {
    clearInterval(this.#timer);
    this.#since = undefined;
    this.#fault = undefined;
  }

  #remind(): void {
    const { logger, texts, figures } = this.#options;
    logger.error({ fault: this.#fault, lastedMs: this.#lastedMs(), ...figures() }, texts.lasting);
  }

  #lastedMs(): number {
    const { clock } = this.#options;
    return Math.round(clock.monotonicMs() - (this.#since?.ms ?? clock.monotonicMs()));
  }
}
