const windowMs = 5000;
const slotMs = 500;

/** Events in the last seconds, as a rate for each second. */
export class Rate {
  #firstMs: number | undefined;
  #slots: { startMs: number; count: number }[] = [];

  add(count: number, nowMs: number): void {
    this.#firstMs ??= nowMs;
    const last = this.#slots.at(-1);
    if (last !== undefined && nowMs - last.startMs < slotMs) last.count += count;
    else this.#slots.push({ startMs: nowMs, count });
    if (this.#slots.length > (2 * windowMs) / slotMs) this.#slots.shift();
  }

  perSecond(nowMs: number): number {
    this.#slots = this.#slots.filter(({ startMs }) => nowMs - startMs < windowMs);
    const sinceMs = Math.min(windowMs, Math.max(slotMs, nowMs - (this.#firstMs ?? nowMs)));
    return this.#slots.reduce((sum, { count }) => sum + count, 0) / (sinceMs / 1000);
  }
}
