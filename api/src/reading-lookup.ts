import { setImmediate } from 'node:timers/promises';
import type { Reading } from '@tidemark/core';
import type { Engine, ReadingKey } from '@tidemark/store';

/** Bounds the text of a query; more that wait are looked up behind. */
const maxKeys = 1000;

interface Waiting {
  key: ReadingKey;
  resolve(reading: Reading | undefined): void;
  reject(error: unknown): void;
}

/**
 * Finds single readings, as many at a time as wait: those that are asked for while some are looked up wait, and are
 * looked up together behind them, so that each sees what was acknowledged before it was asked. Holds no more than
 * there are callers.
 */
export class ReadingLookup {
  readonly #engine: Pick<Engine, 'readingsAt'>;
  readonly #waiting: Waiting[] = [];
  #isRunning = false;

  constructor({ engine }: { engine: Pick<Engine, 'readingsAt'> }) {
    this.#engine = engine;
  }

  /** Undefined when there is no such reading. Rejects with what the store says. */
  find(key: ReadingKey): Promise<Reading | undefined> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ key, resolve, reject });
      if (!this.#isRunning) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    while (this.#waiting.length > 0) {
      // Calls of one read from a socket come within one turn of the event loop.
      await setImmediate();
      await this.#answer(this.#waiting.splice(0, maxKeys));
    }
    this.#isRunning = false;
  }

  async #answer(asked: readonly Waiting[]): Promise<void> {
    try {
      const found = await this.#engine.readingsAt(asked.map(({ key }) => key));
      asked.forEach(({ resolve }, index) => {
        resolve(found[index]);
      });
    } catch (error) {
      for (const { reject } of asked) reject(error);
    }
  }
}
