/** Those who wait for the log to come as far as they want; the others sleep on. */
export class Waiters {
  readonly #waiting = new Set<() => void>();

  /**
   * Resolves when `isReached` is seen to hold: at once, or by `wake`, which the signal calls too; at the latest after
   * `withinMs`. Waits come by the thousand: a signal made for each, by AbortSignal.any and timeout, costs the collector more.
   */
  async until(isReached: () => boolean, signal?: AbortSignal, withinMs?: number): Promise<void> {
    if (isReached()) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = (): void => {
      if (isReached()) resolve();
    };
    this.#waiting.add(wake);
    signal?.addEventListener('abort', wake, { once: true });
    const timer = withinMs === undefined ? undefined : setTimeout(resolve, withinMs);
    await promise;
    clearTimeout(timer);
    this.#waiting.delete(wake);
    signal?.removeEventListener('abort', wake);
  }

  wake(): void {
    for (const wake of this.#waiting) wake();
  }
}
