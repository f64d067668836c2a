import { Worker } from 'node:worker_threads';
import type { SyncAnswer } from './sync-worker.ts';

interface Waiting {
  resolve: () => void;
  reject: (error: Error) => void;
}

/**
 * `fdatasync` on a thread of its own. Node's pool would do, but the store's queries run there too, and its threads give
 * way to the main thread on a loaded machine: what publishers wait for must not.
 */
export class SyncThread {
  readonly #worker: Worker;
  /** Those that wait, in the order of the calls. */
  readonly #waiting: Waiting[] = [];
  #fault: Error | undefined;

  constructor() {
    this.#worker = new Worker(new URL('./sync-worker.ts', import.meta.url));
    this.#worker.on('message', (answer: SyncAnswer) => {
      const { resolve, reject } = this.#waiting.shift()!;
      if (this.#waiting.length === 0) this.#worker.unref();
      if (answer === null) resolve();
      else reject(Object.assign(new Error(answer.message), { code: answer.code }));
    });
    this.#worker.on('error', (error: Error) => this.#fail(error));
    this.#worker.on('exit', () => this.#fail(new Error('the thread of the spool has ended')));
    this.#worker.unref();
  }

  /** Resolves once the file's data is on stable storage; rejects with the system's error. */
  sync(fd: number): Promise<void> {
    if (this.#fault) return Promise.reject(this.#fault);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#worker.ref();
      this.#worker.postMessage(fd);
    });
  }

  async stop(): Promise<void> {
    await this.#worker.terminate();
  }

  #fail(error: Error): void {
    this.#fault ??= error;
    for (const { reject } of this.#waiting.splice(0)) reject(this.#fault);
  }
}
