/** Where time comes from; injected, so that tests own it. */
export interface Clock {
  /** Wall-clock time in integer nanoseconds since 1970-01-01 UTC. May step back. */
  nowNs(): bigint;
  /** Milliseconds that never step back, for durations and timeouts. */
  monotonicMs(): number;
}

let lastMs = 0;
let lastNs = 0n;

export const systemClock: Clock = {
  // Date.now() follows a clock that is set; performance.timeOrigin + performance.now() never would.
  nowNs: () => {
    const nowMs = Date.now();
    if (nowMs !== lastMs) {
      lastMs = nowMs;
      lastNs = BigInt(nowMs) * 1_000_000n;
    }
    return lastNs;
  },
  monotonicMs: () => performance.now(),
};
