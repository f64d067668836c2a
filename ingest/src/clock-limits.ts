import type { TimeColumn } from '@tidemark/core';

/** How far a double may be from the nanoseconds it stands for, and more. */
const DOUBLE_NS = 1024;

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

  /**
   * Whether all these times can be kept, by doubles; counts those far off. False, with nothing counted, where one
   * cannot or is too near a limit to be told by a double.
   */
  areKept(times: TimeColumn, nowNs: bigint): boolean {
    if (nowNs !== this.#nowNs) this.#moveTo(nowNs);
    const [latest, behind, ahead] = [this.#latestNs, this.#behindNs, this.#aheadNs].map(Number);
    let behindCount = 0;
    let aheadCount = 0;
    for (let index = 0; index < times.length; index++) {
      const ns = times.nsAt(index);
      if (ns < DOUBLE_NS || ns > latest! - DOUBLE_NS) return false;
      if (ns < behind!) behindCount++;
      else if (ns > ahead!) aheadCount++;
    }
    this.#offClock.behind += behindCount;
    this.#offClock.ahead += aheadCount;
    return true;
  }

  /** Once a tick of the clock, not for each reading. */
  #moveTo(nowNs: bigint): void {
    this.#nowNs = nowNs;
    this.#latestNs = nowNs + this.#maxFutureNs;
    this.#behindNs = nowNs - this.#skewNs;
    this.#aheadNs = nowNs + this.#skewNs;
  }
}
