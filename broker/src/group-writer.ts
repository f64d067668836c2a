import type { ClassicLevel } from 'classic-level';

/** One change of the session database. */
export type Change = { type: 'put'; key: string; value: Buffer } | { type: 'del'; key: string };

/**
 * Writes changes in the order they came, together with all that came meanwhile. LevelDB runs its calls in a
 * pool of threads, where a later call may overtake an earlier one; with one batch in flight none can.
 */
export class GroupWriter {
  readonly #db: ClassicLevel<string, unknown>;
  readonly #onError: (error: unknown) => void;
  #changes: Change[] = [];
  #next: PromiseWithResolvers<void> | undefined;
  #writing: Promise<void> | undefined;

  constructor(db: ClassicLevel<string, unknown>, onError: (error: unknown) => void) {
    this.#db = db;
    this.#onError = onError;
  }

  /** Resolves when the changes, and all before them, have been written. */
  write(...changes: Change[]): Promise<void> {
    this.#changes.push(...changes);
    this.#next ??= Promise.withResolvers();
    const { promise } = this.#next;
    this.#writing ??= this.#writeAll();
    return promise;
  }

  /** Resolves when all that came before has been written. */
  async flush(): Promise<void> {
    if (this.#writing) await this.write();
  }

  async #writeAll(): Promise<void> {
    for (let group = this.#next; group !== undefined; group = this.#next) {
      const changes = this.#changes;
      this.#changes = [];
      this.#next = undefined;
      // Who does not wait for the outcome hears of it by onError.
      group.promise.catch(this.#onError);
      await this.#db.batch(changes, { valueEncoding: 'buffer' }).then(group.resolve, group.reject);
    }
    this.#writing = undefined;
  }
}
