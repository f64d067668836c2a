import { crc32 } from 'node:zlib';
import type { Delivery } from '@tidemark/core';

/** Deliveries remembered in all, some 100 bytes each; then the client known longest is forgotten. */
const MAX_DELIVERIES = 500_000;
/** Deliveries remembered for one client, by message id: far above the window of any that waits for acks. */
const MAX_DELIVERIES_PER_CLIENT = 1024;

interface GivenStamp {
  messageId: number;
  topic: string;
  payloadBytes: number;
  payloadHash: number;
  firstNs: bigint;
}

/**
 * Gives readings without a time theirs: strictly increasing nanoseconds, so that two in one millisecond never
 * collide. A resent delivery (DUP) of the same message gets the stamps that it was first given.
 */
export class Stamper {
  readonly #clients = new Map<string, GivenStamp[]>();
  #deliveries = 0;
  #lastNs: bigint;

  /** `floorNs`: every stamp is above it, also when the clock was set back. */
  constructor(floorNs: bigint) {
    this.#lastNs = floorNs;
  }

  /** The first stamp of a message: above every stamp given before, or the one its delivery had already. */
  first(nowNs: bigint, topic: string, payload: Uint8Array, delivery: Delivery | undefined): bigint {
    if (!delivery) return this.#next(nowNs);
    const { clientId, messageId, isDuplicate } = delivery;
    const stamps = this.#stampsOf(clientId);
    const slot = messageId % MAX_DELIVERIES_PER_CLIENT;
    const payloadHash = fingerprint(payload);
    const payloadBytes = payload.length;
    const given = stamps[slot];
    if (given === undefined) {
      const firstNs = this.#next(nowNs);
      stamps[slot] = { messageId, topic, payloadBytes, payloadHash, firstNs };
      this.#deliveries++;
      this.#forgetExcess();
      return firstNs;
    }
    const isSame =
      given.messageId === messageId &&
      given.topic === topic &&
      given.payloadBytes === payloadBytes &&
      given.payloadHash === payloadHash;
    if (isDuplicate && isSame) return given.firstNs;
    // Written over in place: this is the busiest path, and a new object each time is work for the collector.
    given.messageId = messageId;
    given.topic = topic;
    given.payloadBytes = payloadBytes;
    given.payloadHash = payloadHash;
    given.firstNs = this.#next(nowNs);
    return given.firstNs;
  }

  /** The stamp after `stampNs` within one message. */
  following(stampNs: bigint): bigint {
    const nextNs = stampNs + 1n;
    if (nextNs > this.#lastNs) this.#lastNs = nextNs;
    return nextNs;
  }

  #next(nowNs: bigint): bigint {
    this.#lastNs = nowNs > this.#lastNs ? nowNs : this.#lastNs + 1n;
    return this.#lastNs;
  }

  #forgetExcess(): void {
    while (this.#deliveries > MAX_DELIVERIES) {
      const [clientId, oldest] = this.#clients.entries().next().value!;
      this.#clients.delete(clientId);
      this.#deliveries -= oldest.filter((stamp) => stamp !== undefined).length;
    }
  }

  #stampsOf(clientId: string): GivenStamp[] {
    const known = this.#clients.get(clientId);
    if (known) return known;
    const stamps: GivenStamp[] = [];
    this.#clients.set(clientId, stamps);
    return stamps;
  }
}

/** A hash of the payload; for the usual few bytes a loop here costs less than a call into zlib. */
function fingerprint(payload: Uint8Array): number {
  if (payload.length > 64) return crc32(payload);
  let hash = 0x811c_9dc5;
  // By index: iterating a typed array costs several times as much.
  for (let index = 0; index < payload.length; index++) hash = Math.imul(hash ^ payload[index]!, 0x0100_0193);
  return hash;
}
