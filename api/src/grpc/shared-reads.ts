/**
 * Answers equal questions together: those that come while one is being answered wait, and are all answered by one
 * more that begins behind the last of them, so that each sees what was acknowledged before it was asked. Holds no
 * more than there are callers.
 */
export class SharedReads<Answer> {
  readonly #running = new Map<string, { now: Promise<Answer>; next: Promise<Answer> | undefined }>();

  /** `key` tells questions apart; `read` answers this one. */
  ask(key: string, read: () => Promise<Answer>): Promise<Answer> {
    const running = this.#running.get(key);
    if (running === undefined) return this.#begin(key, read);
    const begin = () => this.#begin(key, read);
    running.next ??= running.now.then(begin, begin);
    return running.next;
  }

  #begin(key: string, read: () => Promise<Answer>): Promise<Answer> {
    const entry = { now: read(), next: undefined };
    this.#running.set(key, entry);
    const end = () => {
      if (entry.next === undefined) this.#running.delete(key);
    };
    entry.now.then(end, end);
    return entry.now;
  }
}
