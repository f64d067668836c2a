import './silent-debug.ts';

import type { EventEmitter } from 'node:events';
import type { Client, Subscription } from 'aedes';
import { generate, type IPublishPacket, type Packet, writeToStream } from 'mqtt-packet';
import type { BrokerMetrics } from './metrics.ts';
import { outgoingOf, type QueuedMessage, type QueueLimits, SessionQueue } from './session-queue.ts';
import { type Grant, grantOf, Subscriptions } from './subscriptions.ts';

/** What Aedes' client has besides its published interface, as far as it is used here. */
export interface AedesClient extends Client {
  connackSent: boolean;
  subscriptions: Record<string, unknown>;
  deliver0: Deliver;
  deliverQoS: Deliver;
  /** Gives Aedes each packet that it reads, by one listener. */
  _parser: EventEmitter & { client: AedesClient; _list: object };
  /** Calls back at the next drain, with an error when that does not come in time and the client is closed. */
  waitForDrain(callback: () => void): void;
}

/** A packet as Aedes routes it; retained ones that a subscription brings have no broker id. */
export type RoutedPacket = IPublishPacket & {
  brokerId: string | null;
  brokerCounter: number;
  clientId?: string;
  nl?: boolean;
};

type Deliver = (packet: RoutedPacket, done: () => void) => void;

interface OutboxOptions {
  client: AedesClient;
  limits: QueueLimits;
  metrics: BrokerMetrics;
  /** Topics of Aedes' own, which are nobody else's business. */
  hiddenPrefix: string;
}

const MAX_MESSAGE_ID = 65_535;
const nothingHeld: readonly IPublishPacket[] = [];

/**
 * The way to one client. Aedes writes to a client's socket and has all others wait until there is room; here
 * what a client does not take waits for that client alone, within limits, and beyond them is dropped and counted.
 * It also keeps what Aedes does not: one copy by the highest QoS where subscriptions overlap, never more than
 * the QoS of a wildcard subscription, Receive Maximum and Maximum Packet Size, one id for one message in flight,
 * and DUP.
 */
export class Outbox {
  readonly #options: OutboxOptions;
  #subscriptions: Subscriptions | undefined;
  #queue: SessionQueue | undefined;
  /** Which numbered message each id in flight stands for. */
  #inFlight: Map<number, number> | undefined;
  #nextSeq = 1;
  /** QoS 0 messages that wait for the socket. */
  #held: IPublishPacket[] | undefined;
  #heldBytes = 0;
  #isBlocked = false;
  #isClosed = false;
  #lastCounter = 0;
  #waitingForRoom: (() => void)[] | undefined;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  subscribe(subscription: Subscription): void {
    this.#subscriptions ??= new Subscriptions();
    this.#subscriptions.set({ ...subscription });
  }

  unsubscribe(filter: string): void {
    this.#subscriptions?.delete(filter);
  }

  /** The connection is complete: sends what its session has kept, then what comes. */
  start(queue: SessionQueue): void {
    this.#queue = queue;
    this.#nextSeq = queue.firstSeq();
    this.pump();
    this.#makeRoom();
  }

  /** The connection has ended. */
  close(): void {
    this.#isClosed = true;
    const { client, metrics } = this.#options;
    const lost = (this.#held?.length ?? 0) + (client.clean ? (this.#queue?.count ?? 0) : 0);
    if (lost > 0) metrics.drop('disconnected', lost);
    this.#held = undefined;
    this.#makeRoom();
  }

  /** Takes a message that a subscription matches; Aedes calls it once for each that does. */
  readonly deliver: Deliver = (packet, done) => {
    const { client, hiddenPrefix } = this.#options;
    const isRetained = packet.brokerId === null;
    if (packet.topic.startsWith(hiddenPrefix) || this.#isClosed) return done();
    // Restored subscriptions are in effect before CONNACK, which must come first ([MQTT-3.2.0-1]).
    if (!client.connackSent) return done();
    if (packet.nl === true && packet.clientId === client.id) return done();
    // The matching subscriptions of one client are called one right after the other.
    if (!isRetained && packet.brokerCounter === this.#lastCounter) return done();
    this.#lastCounter = packet.brokerCounter;
    const matching = this.#subscriptions?.matching(packet.topic) ?? [];
    const granted = grantOf(matching, packet.clientId === client.id);
    if (granted === undefined) return done();
    // Aedes has given a retained message the identifier of the one subscription that brings it.
    const grant = isRetained ? { ...granted, identifiers: [] } : granted;
    // A subscription whose retained messages do not fit yet waits for room: they are state, not events.
    if (isRetained && !this.#hasRoom()) this.#waitForRoom(() => this.#take(packet, grant, done));
    else this.#take(packet, grant, done);
  };

  /** PUBACK, PUBCOMP, or an MQTT 5 refusal. */
  acknowledged(messageId: number): void {
    const seq = this.#inFlight?.get(messageId);
    if (seq === undefined) return;
    this.#inFlight?.delete(messageId);
    this.#queue?.remove(seq);
    this.pump();
    this.#makeRoom();
  }

  /** PUBREC; resolves when that is stored, and PUBREL may follow. */
  async released(messageId: number): Promise<void> {
    const seq = this.#inFlight?.get(messageId);
    if (seq !== undefined) await this.#queue?.release(seq);
  }

  /** Sends queued messages as far as the socket and the client's Receive Maximum let it. */
  readonly pump = (): void => {
    const queue = this.#queue;
    if (queue === undefined) return;
    while (!this.#isBlocked && !this.#isClosed && this.#nextSeq <= queue.lastSeq) {
      const message = queue.get(this.#nextSeq);
      const messageId = ((this.#nextSeq - 1) % MAX_MESSAGE_ID) + 1;
      if (message !== undefined) {
        this.#inFlight ??= new Map();
        const isFull = this.#inFlight.size >= this.#options.client.receiveMaximum;
        if (isFull || !message.isReady || this.#inFlight.has(messageId)) return;
        this.#send(queue, message, messageId, this.#inFlight);
      }
      this.#nextSeq++;
    }
  };

  #take(packet: RoutedPacket, grant: Grant, done: () => void): void {
    const { client, metrics } = this.#options;
    const outgoing = outgoingOf(packet, { ...grant, keepsRetain: true });
    if (outgoing === undefined) {
      this.#sendAtMostOnce(packet, grant);
    } else if (!this.#isKept() || packet.brokerId === null) {
      this.#queue ??= new SessionQueue(client.id, this.#options.limits);
      if (!this.#queue.push(outgoing, this.pump)) metrics.drop('queue_full');
    }
    // What is left has been queued by the session.
    done();
  }

  #sendAtMostOnce({ topic, payload, retain, properties }: RoutedPacket, { identifiers }: Grant): void {
    const packet: IPublishPacket = { cmd: 'publish', topic, payload, qos: 0, retain, dup: false };
    if (properties !== undefined) packet.properties = properties;
    if (identifiers.length > 0) {
      packet.properties = { ...properties, subscriptionIdentifier: [...identifiers] };
    }
    if (!this.#fits(packet)) return;
    if (!this.#isBlocked) {
      this.#write(packet);
    } else if (this.#hasRoom()) {
      this.#held ??= [];
      this.#held.push(packet);
      this.#heldBytes += payload.length;
    } else {
      this.#options.metrics.drop('slow_subscriber');
    }
  }

  #send(queue: SessionQueue, message: QueuedMessage, messageId: number, inFlight: Map<number, number>): void {
    const { topic, payload, qos, retain, expiresAtMs, seq } = message;
    const leftMs = expiresAtMs === undefined ? undefined : expiresAtMs - Date.now();
    if (leftMs !== undefined && leftMs <= 0) {
      queue.remove(seq);
      this.#options.metrics.drop('expired');
      return;
    }
    const properties =
      leftMs === undefined
        ? message.properties
        : { ...message.properties, messageExpiryInterval: Math.ceil(leftMs / 1000) };
    const dup = seq <= queue.sentUpTo;
    const packet: IPublishPacket = { cmd: 'publish', topic, payload, qos, retain, dup, messageId };
    if (properties !== undefined) packet.properties = properties;
    if (!message.isReleased && !this.#fits(packet)) {
      queue.remove(seq);
      return;
    }
    inFlight.set(messageId, seq);
    queue.sentUpTo = Math.max(queue.sentUpTo, seq);
    this.#write(message.isReleased ? { cmd: 'pubrel', messageId } : packet);
  }

  /** MQTT 5, [MQTT-3.1.2-25]: what is larger than the client takes is not sent, as if it had been. */
  #fits(packet: IPublishPacket): boolean {
    const { client, metrics } = this.#options;
    if (client.maximumPacketSize === undefined) return true;
    const isSmall = generate(packet, { protocolVersion: 5 }).length <= client.maximumPacketSize;
    if (!isSmall) metrics.drop('too_large_for_client');
    return isSmall;
  }

  #write(packet: Packet): void {
    const { client, metrics } = this.#options;
    if (packet.cmd === 'publish') metrics.countSent(packet.payload.length);
    if (writeToStream(packet, client.conn, { protocolVersion: client.version })) return;
    this.#isBlocked = true;
    client.waitForDrain(() => this.#drained());
  }

  #drained(): void {
    this.#isBlocked = false;
    const held = this.#held ?? nothingHeld;
    this.#held = undefined;
    this.#heldBytes = 0;
    for (const [index, packet] of held.entries()) {
      if (this.#isClosed) return;
      if (this.#isBlocked) {
        this.#held = held.slice(index);
        this.#heldBytes = this.#held.reduce((sum, { payload }) => sum + payload.length, 0);
        return;
      }
      this.#write(packet);
    }
    this.pump();
    this.#makeRoom();
  }

  #hasRoom(): boolean {
    const { maxMessages, maxBytes } = this.#options.limits;
    const heldCount = this.#held?.length ?? 0;
    const hasQueueRoom = this.#queue?.hasRoom() ?? !this.#isKept();
    return heldCount < maxMessages && this.#heldBytes < maxBytes && hasQueueRoom;
  }

  /** Whether the session outlives this connection: then the queue is its own, once it is loaded. */
  #isKept(): boolean {
    return !this.#options.client.clean || this.#queue?.isKept === true;
  }

  #waitForRoom(go: () => void): void {
    this.#waitingForRoom ??= [];
    this.#waitingForRoom.push(go);
  }

  #makeRoom(): void {
    while (this.#waitingForRoom && this.#waitingForRoom.length > 0 && (this.#isClosed || this.#hasRoom())) {
      this.#waitingForRoom.shift()!();
    }
  }
}
