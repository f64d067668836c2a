import { crc32 } from 'node:zlib';
import type { Clock, Delivery } from '@tidemark/core';

/** Deliveries remembered in all, some 100 bytes each; then the client known longest is forgotten. */
const MAX_DELIVERIES = 500_000;
/** Deliveries remembered for one client, by message id: far above the window of any that waits for acks. */
const MAX_DELIVERIES_PER_CLIENT = 1024;

interface GivenStamp {
  messageId: number;
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
  readonly #clients = new Map<string, GivenStamp[]>();
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
    const { clientId, messageId, isDuplicate } = delivery;
    const stamps = this.#stampsOf(clientId);
    const slot = messageId % MAX_DELIVERIES_PER_CLIENT;
    const payloadCrc = crc32(payload);
    const payloadBytes = payload.length;
    const given = stamps[slot];
    if (given === undefined) {
      const firstNs = this.#next();
      stamps[slot] = { messageId, topic, payloadBytes, payloadCrc, firstNs };
      this.#deliveries++;
      this.#forgetExcess();
      return firstNs;
    }
    const isSame =
      given.messageId === messageId &&
      given.topic === topic &&
      given.payloadBytes === payloadBytes &&
      given.payloadCrc === payloadCrc;
    if (isDuplicate && isSame) return given.firstNs;
    // Written over in place: this is the busiest path, and a new object each time is work for the collector.
    given.messageId = messageId;
    given.topic = topic;
    given.payloadBytes = payloadBytes;
    given.payloadCrc = payloadCrc;
    given.firstNs = this.#next();
    return given.firstNs;
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
