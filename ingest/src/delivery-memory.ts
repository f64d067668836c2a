import { crc32 } from 'node:zlib';
import type { Delivery } from '@tidemark/core';
import type { DeliveryStamp } from './spool/record.ts';

/** Deliveries remembered in all, some 100 bytes each; then the client known longest is forgotten. */
const MAX_DELIVERIES = 500_000;
/** Deliveries remembered for one client, by message id: far above the window of any that waits for acks. */
const MAX_DELIVERIES_PER_CLIENT = 1024;

interface Remembered extends DeliveryStamp {
  messageId: number;
  topic: string;
  topicHash: number;
  payloadBytes: number;
  payloadHash: number;
}

interface ClientMemory {
  /** Two hashes of the client's id, apart from each other. */
  hashHigh: number;
  hashLow: number;
  /** By message id, modulo their number. */
  deliveries: Remembered[];
}

/**
 * Knows which time a delivery was given, so that the same one gets it again when it is resent. What was
 * delivered before a restart is recalled from the log.
 */
export class DeliveryMemory {
  readonly #clients = new Map<string, ClientMemory>();
  #count = 0;
  /** First stamps from before the start, by the delivery's id. */
  readonly #recalled = new Map<number, bigint>();

  /** Takes up what the log says of a delivery; the oldest come first. */
  recall({ idHigh, idLow, firstNs }: DeliveryStamp): void {
    const key = keyOf(idHigh, idLow);
    // Deleted first, so that it stands with the newest.
    this.#recalled.delete(key);
    this.#recalled.set(key, firstNs);
    if (this.#recalled.size > MAX_DELIVERIES) this.#recalled.delete(this.#recalled.keys().next().value!);
  }

  /**
   * The delivery's place in the memory. Its `firstNs` is what it was given before when it is the same message
   * resent; else it is negative, and the caller sets it. It is valid until the next call.
   */
  placeOf({ clientId, messageId, isDuplicate }: Delivery, topic: string, payload: Uint8Array): DeliveryStamp {
    const client = this.#clientOf(clientId);
    const slot = messageId % MAX_DELIVERIES_PER_CLIENT;
    const payloadHash = hashOf(payload);
    const known = client.deliveries[slot];
    // Written over in place: this is the busiest path, and a new object each time is work for the collector.
    const place = known ?? this.#newPlace(client, slot);
    const isSame =
      place.messageId === messageId &&
      place.payloadHash === payloadHash &&
      place.payloadBytes === payload.length &&
      place.topic === topic;
    if (isSame && isDuplicate) return place;
    if (place.topic !== topic) {
      place.topic = topic;
      place.topicHash = hashOfText(topic, 0);
    }
    place.messageId = messageId;
    place.payloadBytes = payload.length;
    place.payloadHash = payloadHash;
    const message = place.topicHash ^ Math.imul(messageId, 0x9e37_79b1);
    place.idHigh = mix(client.hashHigh ^ message);
    place.idLow = mix(payloadHash ^ payload.length ^ mix(client.hashLow + message));
    place.firstNs = NOT_GIVEN;
    // Only where nothing came since the start: a message id that is used again stands for the newest message.
    if (known === undefined && isDuplicate)
      place.firstNs = this.#recalled.get(keyOf(place.idHigh, place.idLow)) ?? NOT_GIVEN;
    return place;
  }

  #newPlace(client: ClientMemory, slot: number): Remembered {
    const place = {
      idHigh: 0,
      idLow: 0,
      firstNs: NOT_GIVEN,
      messageId: -1,
      topic: '',
      topicHash: 0,
      payloadBytes: 0,
      payloadHash: 0,
    };
    client.deliveries[slot] = place;
    this.#count++;
    this.#forgetExcess();
    return place;
  }

  #forgetExcess(): void {
    while (this.#count > MAX_DELIVERIES) {
      const [clientId, { deliveries }] = this.#clients.entries().next().value!;
      this.#clients.delete(clientId);
      this.#count -= deliveries.filter((place) => place !== undefined).length;
    }
  }

  #clientOf(clientId: string): ClientMemory {
    const known = this.#clients.get(clientId);
    if (known) return known;
    const hashHigh = hashOfText(clientId, 0);
    const client = { hashHigh, hashLow: hashOfText(clientId, 0x5bd1_e995), deliveries: [] };
    this.#clients.set(clientId, client);
    return client;
  }
}

const NOT_GIVEN = -1n;

/** 53 of the 64 bits: as many as a number holds. */
function keyOf(idHigh: number, idLow: number): number {
  return (idHigh >>> 0) * 0x20_0000 + (idLow >>> 11);
}

/** A hash of the payload; for the usual few bytes a loop here costs less than a call into zlib. */
function hashOf(payload: Uint8Array): number {
  if (payload.length > 64) return crc32(payload) | 0;
  let hash = 0x811c_9dc5;
  // By index: iterating a typed array costs several times as much.
  for (let index = 0; index < payload.length; index++) hash = Math.imul(hash ^ payload[index]!, 0x0100_0193);
  return hash;
}

/** FNV-1a by UTF-16 unit. */
function hashOfText(text: string, seed: number): number {
  let hash = 0x811c_9dc5 ^ seed;
  for (let index = 0; index < text.length; index++)
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x0100_0193);
  return hash;
}

/** Spreads every bit over all 32 (the finalizer of MurmurHash3). */
function mix(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
  return hash ^ (hash >>> 16);
}
