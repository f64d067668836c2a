import { crc32 } from 'node:zlib';
import type { Delivery } from '@tidemark/core';
import { mix } from './mix.ts';
import type { DeliveryStamp } from './spool/record.ts';

/**
 * Deliveries remembered in all, some 150 bytes each. They are kept in two halves: when the younger is full the older
 * is forgotten as a whole, since to take single ones out of the front of a large map takes longer each time.
 */
const MAX_DELIVERIES = 500_000;
/** Deliveries remembered for one client, by message id: far above the window of any that waits for acks. */
const MAX_DELIVERIES_PER_CLIENT = 1024;
/** Places of a new client; they are doubled where one was used in the last minute and is wanted again. */
const FIRST_PLACES = 16;
const KEPT_SECONDS = 60;

interface Remembered extends DeliveryStamp {
  messageId: number;
  topic: string;
  topicHash: number;
  payloadBytes: number;
  payloadHash: number;
  usedAtSeconds: number;
}

interface ClientMemory {
  /** Two hashes of the client's id, apart from each other. */
  hashHigh: number;
  hashLow: number;
  /** By message id, modulo `size`. */
  places: Remembered[];
  size: number;
  count: number;
  /** Messages since the start. */
  messages: number;
}

/**
 * Knows which time a delivery was given, so that the same one gets it again when it is resent. What was
 * delivered before a restart is recalled from the log.
 */
export class DeliveryMemory {
  #clients = new Map<string, ClientMemory>();
  #olderClients = new Map<string, ClientMemory>();
  /** Places of the younger clients. */
  #count = 0;
  /** First stamps from before the start, by the delivery's id. */
  #recalled = new Map<number, bigint>();
  #olderRecalled = new Map<number, bigint>();
  #nowNs = -1n;
  #nowSeconds = 0;

  /** Takes up what the log says of a delivery; the oldest come first. */
  recall({ idHigh, idLow, firstNs }: DeliveryStamp): void {
    if (this.#recalled.size >= MAX_DELIVERIES / 2) {
      this.#olderRecalled = this.#recalled;
      this.#recalled = new Map();
    }
    this.#recalled.set(keyOf(idHigh, idLow), firstNs);
  }

  /**
   * The delivery's place in the memory. Its `firstNs` is what it was given before when it is the same message
   * resent; else it is negative, and the caller sets it. It is valid until the next call.
   */
  placeOf(delivery: Delivery, topic: string, payload: Uint8Array, nowNs: bigint): DeliveryStamp {
    const { clientId, messageId, isDuplicate } = delivery;
    if (nowNs !== this.#nowNs) this.#moveTo(nowNs);
    const client = this.#clientOf(clientId);
    const slot = this.#slotFor(client, messageId);
    const payloadHash = hashOf(payload);
    // Written over in place: this is the busiest path, and a new object each time is work for the collector.
    const place = client.places[slot] ?? this.#newPlace(client, slot);
    const isSameId = place.messageId === messageId;
    place.usedAtSeconds = this.#nowSeconds;
    client.messages++;
    const isSame =
      isSameId &&
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
    // What comes again after so many others was not in flight at the restart: its id is used anew.
    if (isDuplicate && !isSameId && client.messages <= MAX_DELIVERIES_PER_CLIENT)
      place.firstNs = this.#firstRecalled(place) ?? NOT_GIVEN;
    return place;
  }

  /** Once a tick of the clock, not for each message. */
  #moveTo(nowNs: bigint): void {
    this.#nowNs = nowNs;
    this.#nowSeconds = Number(nowNs / 1_000_000_000n);
  }

  /** Where the message id belongs; makes room first where another message was a moment ago. */
  #slotFor(client: ClientMemory, messageId: number): number {
    for (;;) {
      const slot = messageId % client.size;
      const place = client.places[slot];
      if (place === undefined || place.messageId === messageId) return slot;
      if (client.size >= MAX_DELIVERIES_PER_CLIENT) return slot;
      if (place.usedAtSeconds < this.#nowSeconds - KEPT_SECONDS) return slot;
      client.size *= 2;
      const { places } = client;
      client.places = [];
      for (const kept of places) if (kept) client.places[kept.messageId % client.size] = kept;
    }
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
      usedAtSeconds: 0,
    };
    client.places[slot] = place;
    client.count++;
    if (++this.#count > MAX_DELIVERIES / 2) this.#forgetOlder();
    return place;
  }

  #forgetOlder(): void {
    this.#olderClients = this.#clients;
    this.#clients = new Map();
    this.#count = 0;
  }

  #firstRecalled({ idHigh, idLow }: DeliveryStamp): bigint | undefined {
    const key = keyOf(idHigh, idLow);
    return this.#recalled.get(key) ?? this.#olderRecalled.get(key);
  }

  #clientOf(clientId: string): ClientMemory {
    const known = this.#clients.get(clientId);
    if (known) return known;
    const client = this.#olderClients.get(clientId) ?? newClient(clientId);
    this.#count += client.count;
    if (this.#count > MAX_DELIVERIES / 2) this.#forgetOlder();
    this.#clients.set(clientId, client);
    return client;
  }
}

function newClient(clientId: string): ClientMemory {
  const hashHigh = hashOfText(clientId, 0);
  const hashLow = hashOfText(clientId, 0x5bd1_e995);
  return { hashHigh, hashLow, places: [], size: FIRST_PLACES, count: 0, messages: 0 };
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
