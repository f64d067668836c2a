import { crc32 } from 'node:zlib';
import type { Clock, Delivery } from '@tidemark/core';

/** Deliveries remembered in all, some 100 bytes each; then the client known longest is forgotten. */
const MAX_DELIVERIES = 500_000;
/** Deliveries remembered for one client: far above the window of any client that waits for acks. */
const MAX_DELIVERIES_PER_CLIENT = 1024;

interface GivenStamp {
  topic: string;
  payloadBytes: number;
  payloadCrc: number;
  firstNs: bigint;
}

/**
 * Gives readings without a time theirs: strictly increasing nanoseconds, so that two in one millisecond never
 * collide. A resent delivery (DUP) of the same message gets the stamps that it was first given.
 */
export class Stamper {
  readonly #clock: Clock;
  readonly #clients = new Map<string, Map<number, GivenStamp>>();
  #deliveries = 0;
  #lastNs: bigint;

  /** `floorNs`: every stamp is above it, also when the clock was set back. */
  constructor(clock: Clock, floorNs: bigint) {
    this.#clock = clock;
    this.#lastNs = floorNs;
  }

  /** The first stamp of a message: above every stamp given before, or the one its delivery had already. */
  first(topic: string, payload: Uint8Array, delivery: Delivery | undefined): bigint {
    if (!delivery) return this.#next();
    const stamps = this.#stampsOf(delivery.clientId);
    const payloadCrc = crc32(payload);
    const given = delivery.isDuplicate ? stamps.get(delivery.messageId) : undefined;
    if (given?.topic === topic && given.payloadBytes === payload.length && given.payloadCrc === payloadCrc)
      return given.firstNs;
    const firstNs = this.#next();
    this.#remember(stamps, delivery.messageId, { topic, payloadBytes: payload.length, payloadCrc, firstNs });
    return firstNs;
  }

  /** The stamp after `stampNs` within one message. */
  following(stampNs: bigint): bigint {
    const nextNs = stampNs + 1n;
    if (nextNs > this.#lastNs) this.#lastNs = nextNs;
    return nextNs;
  }

  #next(): bigint {
    const nowNs = this.#clock.nowNs();
    this.#lastNs = nowNs > this.#lastNs ? nowNs : this.#lastNs + 1n;
    return this.#lastNs;
  }

  #remember(stamps: Map<number, GivenStamp>, messageId: number, stamp: GivenStamp): void {
    if (stamps.delete(messageId)) this.#deliveries--;
    if (stamps.size >= MAX_DELIVERIES_PER_CLIENT && stamps.delete(stamps.keys().next().value!))
      this.#deliveries--;
    stamps.set(messageId, stamp);
    this.#deliveries++;
    while (this.#deliveries > MAX_DELIVERIES) {
      const [clientId, oldest] = this.#clients.entries().next().value!;
      this.#clients.delete(clientId);
      this.#deliveries -= oldest.size;
    }
  }

  #stampsOf(clientId: string): Map<number, GivenStamp> {
    const known = this.#clients.get(clientId);
    if (known) return known;
    const stamps = new Map<number, GivenStamp>();
    this.#clients.set(clientId, stamps);
    return stamps;
  }
}
