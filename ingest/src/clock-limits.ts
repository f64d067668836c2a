interface ClockLimitsOptions {
  /** How far ahead of the clock a time may be. */
  maxFutureMs: number;
  /** How far from the clock a time may be before it is counted. */
  skewMs: number;
  /** Where points are counted whose time is further away. */
  offClock: { behind: number; ahead: number };
}

/**
 * Judges the times that readings bring by the server's clock. Age never disqualifies a reading; a time before
 * 1970 or too far ahead does.
 */
export class ClockLimits {
  readonly #maxFutureNs: bigint;
  readonly #skewNs: bigint;
  #nowNs = -1n;
  #latestNs = 0n;
  #behindNs = 0n;
  #aheadNs = 0n;
  readonly #offClock: ClockLimitsOptions['offClock'];

  constructor({ maxFutureMs, skewMs, offClock }: ClockLimitsOptions) {
    this.#offClock = offClock;
    this.#maxFutureNs = BigInt(maxFutureMs) * 1_000_000n;
    this.#skewNs = BigInt(skewMs) * 1_000_000n;
  }

  /** Why the time of a reading that is accepted now cannot be kept; undefined, and counted if far off, when it can. */
  problemOf(timeNs: bigint, nowNs: bigint): string | undefined {
    if (nowNs !== this.#nowNs) this.#moveTo(nowNs);
    if (timeNs < 0n) return 'the time is before 1970';
    if (timeNs > this.#latestNs) return 'the time is too far in the future';
    if (timeNs < this.#behindNs) this.#offClock.behind++;
    else if (timeNs > this.#aheadNs) this.#offClock.ahead++;
    return undefined;
  }

  /** Once a tick of the clock, not for each reading. */
  #moveTo(nowNs: bigint): void {
    this.#nowNs = nowNs;
    this.#latestNs = nowNs + this.#maxFutureNs;
    this.#behindNs = nowNs - this.#skewNs;
    this.#aheadNs = nowNs + this.#skewNs;
  }
}
