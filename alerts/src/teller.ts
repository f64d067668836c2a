import { setTimeout as delay } from 'node:timers/promises';
import { type Logger, messageOf, type PartHealth } from '@tidemark/core';
import type { NewTransition, Transitions } from './transitions.ts';

/** Transitions told at once. */
const BATCH = 100;
/** Pause after it failed. */
const RETRY_MS = 1000;

export type Told = NewTransition & { number: number };

interface TellerOptions {
  /** Under which its place among the transitions is kept. */
  name: string;
  transitions: Transitions;
  logger: Logger;
  /** Tells them, in order. What is rejected is told again; after a crash, what was told may be told again. */
  tell: (transitions: readonly Told[], signal: AbortSignal) => Promise<void>;
}

/** Tells every transition, in order and at least once, over restarts too, behind a place of its own in the outbox. */
export class Teller {
  readonly #options: TellerOptions;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  #fault: string | undefined;

  constructor(options: TellerOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  health(): PartHealth {
    const name = `alerts ${this.#options.name}`;
    return { name, status: this.#fault ? 'fail' : 'pass', message: this.#fault ?? 'telling' };
  }

  async #run(): Promise<void> {
    const { name, transitions, tell, logger } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        const told = transitions.told(name) ?? 0;
        await transitions.waitBeyond(told, signal);
        const next = transitions.after(told, BATCH);
        if (signal.aborted || next.length === 0) continue;
        await unlessAborted(tell(next, signal), signal);
        if (signal.aborted) return;
        transitions.setTold(name, next.at(-1)!.number);
        this.#fault = undefined;
      } catch (error) {
        if (this.#fault === undefined)
          logger.error(
            { err: error, name },
            'changes of alerts cannot be told; they are kept and tried again',
          );
        this.#fault = messageOf(error);
        await delay(RETRY_MS, undefined, { signal }).catch(() => {});
      }
    }
  }
}

/** A full disk may keep the work from ever ending; a stop does not wait for it. */
async function unlessAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const onAbort = (): void => resolve();
  signal.addEventListener('abort', onAbort);
  try {
    await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
