/** Where time comes from; injected, so that tests own it. */
export interface Clock {
  /** Wall-clock time in integer nanoseconds since 1970-01-01 UTC. May step back. */
  nowNs(): bigint;
  /** Milliseconds that never step back, for durations and timeouts. */
  monotonicMs(): number;
}

export const systemClock: Clock = {
  nowNs: () => BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)) * 1000n,
  monotonicMs: () => performance.now(),
};
