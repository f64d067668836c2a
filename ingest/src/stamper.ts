/** Between two stamps, a million in a second; the three digits below tell the era. */
const SPACING_NS = 1000n;
/** A clock that is further behind the last stamp was set back; less is waited out in front of it. */
const SET_BACK_NS = 1_000_000_000n;

/**
 * Gives readings without a time theirs: no two are equal, and they follow the clock wherever it is set.
 *
 * Stamps are microseconds apart and grow strictly for as long as the clock does not go back by more than a
 * second. When it does, the stamps begin again at the clock, in a new era: each era has its own last three
 * digits, so that a stamp never meets one of the same microsecond from before. There are a thousand eras, then
 * the first comes round again.
 */
export class Stamper {
  readonly #onSetBack: (byNs: bigint) => void;
  #lastNs: bigint;
  #eraNs: bigint;
  /** The clock as it was seen last; many messages come within one tick of it. */
  #clockNs = -1n;

  /** `lastNs`: the last stamp ever given, 0 for none. `onSetBack` is told how far the clock went back. */
  constructor(lastNs: bigint, onSetBack: (byNs: bigint) => void = () => {}) {
    this.#lastNs = lastNs;
    this.#eraNs = lastNs % SPACING_NS;
    this.#onSetBack = onSetBack;
  }

  /** A stamp that was never given before, at the clock's time or as little behind it as can be. */
  next(nowNs: bigint): bigint {
    if (nowNs === this.#clockNs) this.#lastNs += SPACING_NS;
    else this.#follow(nowNs);
    return this.#lastNs;
  }

  #follow(nowNs: bigint): void {
    this.#clockNs = nowNs;
    const behindNs = this.#lastNs - nowNs;
    if (behindNs > SET_BACK_NS) {
      this.#eraNs = (this.#eraNs + 1n) % SPACING_NS;
      this.#lastNs = this.#atClock();
      this.#onSetBack(behindNs);
      return;
    }
    const stampNs = this.#atClock();
    this.#lastNs = stampNs > this.#lastNs ? stampNs : this.#lastNs + SPACING_NS;
  }

  #atClock(): bigint {
    return this.#clockNs - (this.#clockNs % SPACING_NS) + this.#eraNs;
  }
}

/** The stamp of a message's next reading, as it was given when the message came first. */
export function stampAfter(stampNs: bigint): bigint {
  return stampNs + SPACING_NS;
}
