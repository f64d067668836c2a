import { floorDivide, NS_PER_SECOND } from '@tidemark/core';

const NS_PER_MINUTE = 60n * NS_PER_SECOND;

/** The minute that a time is in, counted from 1970, UTC. */
export function minuteOf(timeNs: bigint): number {
  return Number(floorDivide(timeNs, NS_PER_MINUTE));
}

/** The minute that a time is in, or the next where it is behind that one's start. */
export function minuteFrom(timeNs: bigint): number {
  return minuteOf(timeNs + NS_PER_MINUTE - 1n);
}

export function startOfMinute(minute: number): bigint {
  return BigInt(minute) * NS_PER_MINUTE;
}
