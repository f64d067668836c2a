import { type Logger, TidemarkError } from '@tidemark/core';
import type { ExpressionAnswer, ExpressionQuestion, ExpressionSettings } from './expression-messages.ts';
import { ExpressionProcess } from './expression-process.ts';

/** Questions that its process is given at once, so that it need not wait for the next. */
const WINDOW = 16;
/** Of what its process cannot end itself, such as a regular expression. */
const GRACE_MS = 500;
/** The least time that a process has to start, on a machine that is busy. */
const START_MS = 20_000;
/** What waits is in memory; messages are told apart from their number too. */
const MAX_WAITING_BYTES = 64 * 1024 * 1024;

/** What came of one message: the JSON that the expression answers, or why there is none. */
export type ExpressionOutcome = { json: string } | { problem: string; isTimeout: boolean };

export interface ExpressionLimits {
  expressionTimeoutMs: number;
  expressionMemoryBytes: number;
  maxWaiting: number;
}

interface ExpressionOptions {
  /** Of its mapping. */
  name: string;
  expression: string;
  limits: ExpressionLimits;
  maxResultBytes: number;
  logger: Logger;
}

interface Waiting {
  question: ExpressionQuestion;
  bytes: number;
  resolve: (outcome: ExpressionOutcome) => void;
  reject: (error: TidemarkError) => void;
}

/**
 * Evaluates one mapping's expression in a process of its own, one message after another and in their order. A message
 * on which it takes too long, or too much memory, ends that process; the next ones go to another.
 */
export class Expression {
  readonly #name: string;
  readonly #settings: ExpressionSettings;
  readonly #limits: ExpressionLimits;
  readonly #logger: Logger;
  readonly #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #process: ExpressionProcess | undefined;
  #isReady = false;
  /** How many of those who wait the process was given. */
  #asked = 0;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;
  #hasToldNotStarted = false;
  #onIdle: (() => void) | undefined;

  constructor({ name, expression, limits, maxResultBytes, logger }: ExpressionOptions) {
    this.#name = name;
    this.#settings = { expression, timeoutMs: limits.expressionTimeoutMs, maxResultBytes };
    this.#limits = limits;
    this.#logger = logger;
  }

  /** Rejects with a retryable `unavailable` when too many wait, or when no process can be had. */
  evaluate(question: ExpressionQuestion, bytes: number): Promise<ExpressionOutcome> {
    const isFull =
      this.#waiting.length >= this.#limits.maxWaiting || this.#waitingBytes + bytes > MAX_WAITING_BYTES;
    if (this.#isStopped || isFull) return Promise.reject(this.#unavailable('too many messages wait for it'));
    const { promise, resolve, reject } = Promise.withResolvers<ExpressionOutcome>();
    this.#waiting.push({ question, bytes, resolve, reject });
    this.#waitingBytes += bytes;
    this.#process ??= this.#start();
    this.#ask();
    return promise;
  }

  /** Lets what waits be answered, for as long as one message may take, and gives up the rest. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    if (this.#waiting.length > 0) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#onIdle = resolve;
      const timer = setTimeout(resolve, this.#limits.expressionTimeoutMs);
      await promise;
      clearTimeout(timer);
    }
    clearTimeout(this.#timer);
    const process = this.#process;
    this.#process = undefined;
    process?.kill();
    this.#giveUp('the platform stops');
  }

  #start(): ExpressionProcess {
    const started: ExpressionProcess = new ExpressionProcess({
      settings: this.#settings,
      maxHeapBytes: this.#limits.expressionMemoryBytes,
      onAnswer: (answer) => this.#process === started && this.#take(answer),
      onExit: (how) => this.#process === started && this.#replace(how, false),
    });
    this.#isReady = false;
    this.#asked = 0;
    this.#setTimer(START_MS);
    return started;
  }

  #take(answer: ExpressionAnswer): void {
    if (answer.type === 'ready') {
      this.#isReady = true;
      this.#hasToldNotStarted = false;
    } else {
      this.#asked--;
      this.#settle(
        answer.type === 'result' ? answer : { problem: answer.message, isTimeout: answer.isTimeout },
      );
    }
    this.#setTimer(this.#limits.expressionTimeoutMs + GRACE_MS);
    this.#ask();
  }

  /** The process is gone, or has to go: the message that it had is refused, unless it had not even begun. */
  #replace(how: string, isTimeout: boolean): void {
    clearTimeout(this.#timer);
    const process = this.#process;
    this.#process = undefined;
    process?.kill();
    if (!this.#isReady) {
      this.#tellNotStarted(how);
      this.#giveUp(`its process has not started: ${how}`);
    } else if (this.#asked > 0) this.#settle({ problem: how, isTimeout });
    if (this.#waiting.length > 0) this.#process = this.#start();
  }

  #ask(): void {
    while (this.#isReady && this.#asked < Math.min(WINDOW, this.#waiting.length)) {
      const next = this.#waiting[this.#asked]!;
      this.#asked++;
      this.#process?.ask(next.question);
      if (this.#asked === 1) this.#setTimer(this.#limits.expressionTimeoutMs + GRACE_MS);
    }
  }

  #settle(outcome: ExpressionOutcome): void {
    const first = this.#waiting.shift();
    if (first === undefined) return;
    this.#waitingBytes -= first.bytes;
    first.resolve(outcome);
    if (this.#waiting.length === 0) this.#onIdle?.();
  }

  #giveUp(why: string): void {
    this.#waitingBytes = 0;
    for (const { reject } of this.#waiting.splice(0)) reject(this.#unavailable(why));
    this.#onIdle?.();
  }

  /** Of the oldest message that the process was given; none while it has none. */
  #setTimer(afterMs: number): void {
    clearTimeout(this.#timer);
    if (this.#isReady && this.#asked === 0) return;
    const limitMs = this.#isReady ? this.#limits.expressionTimeoutMs : START_MS;
    this.#timer = setTimeout(() => this.#replace(`it takes longer than ${limitMs} ms`, true), afterMs);
  }

  /** Every message that comes then tries again: once says it all. */
  #tellNotStarted(how: string): void {
    if (this.#hasToldNotStarted) return;
    this.#hasToldNotStarted = true;
    const context = { mapping: this.#name, how };
    this.#logger.error(context, "a mapping's expression cannot be evaluated; its publishers are held back");
  }

  #unavailable(why: string): TidemarkError {
    const message = `the expression of mapping ${this.#name} cannot read the message now: ${why}`;
    return new TidemarkError('unavailable', message, { retryable: true });
  }
}
