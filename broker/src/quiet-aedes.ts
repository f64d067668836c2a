import './silent-debug.ts';

import { asBuffer, type Clock, type Logger } from '@tidemark/core';
import { Aedes, type AedesOptions, type Client, type PublishPacket } from 'aedes';
import type { StoredPacket } from 'aedes-persistence-level/asyncPersistence.js';
import type { ClassicLevel } from 'classic-level';
import { inspectPackets } from './inspect-packets.ts';
import type { BrokerMetrics } from './metrics.ts';
import { type AedesClient, Outbox } from './outbox.ts';
import { Pubacks } from './pubacks.ts';
import { ReceivedBytes } from './received-bytes.ts';
import { type SessionLimits, SessionStore } from './session-store.ts';
import { filterTrie, isShared, isWellFormed } from './subscriptions.ts';

type Done = (error?: Error) => void;
type Listener = Parameters<Aedes['subscribe']>[1];
type Publish = (packet: PublishPacket, client?: Client | null | Done, done?: Done) => void;

interface QuietAedesOptions extends AedesOptions {
  authorizePublish: NonNullable<AedesOptions['authorizePublish']>;
  db: ClassicLevel<string, unknown>;
  limits: SessionLimits;
  metrics: BrokerMetrics;
  clock: Clock;
  logger: Logger;
}

/** Topics whose silence is remembered; cleared when full, and whenever any subscription changes. */
const MAX_KNOWN_TOPICS = 100_000;
/** Longer topics are always routed: a topic may have 64 KiB. */
const MAX_KNOWN_LENGTH = 280;

/**
 * Aedes that does not route what nobody listens to, and in which no client can hold up another.
 *
 * Most readings have no MQTT subscriber: for them the matching, queueing and emitting of each message costs Aedes
 * about as much again as taking it in (`npm run bench -- mqtt-publish`). A topic is silent when no connected
 * client and no stored session subscribes to it; retained messages are always routed.
 *
 * Messages go out through an `Outbox` for each client, and what outlives a connection is in the `SessionStore`.
 */
export class QuietAedes extends Aedes {
  readonly sessions: SessionStore;
  /** Called when a subscription of a connected client came or went. */
  onListenersChanged: () => void = () => {};
  readonly #listeners = filterTrie<Listener>();
  /** Subscriptions of connected clients by the first level of their filter. */
  readonly #roots = new Map<string, number>();
  #subscriptionCount = 0;
  readonly #isSilent = new Map<string, boolean>();
  readonly #outboxes = new WeakMap<Client, Outbox>();
  /** QoS 1 messages that are routed, and go through Aedes' own steps yet. */
  readonly #published = new WeakSet<PublishPacket>();
  readonly #pubacks = new Pubacks();

  /** Brings up a broker whose sessions, subscriptions and retained messages are kept in `db`. */
  static async open(options: QuietAedesOptions): Promise<QuietAedes> {
    const { db, limits, metrics, clock, logger } = options;
    const sessions = new SessionStore({ db, limits, metrics, clock, logger });
    await sessions.load();
    const aedes = new QuietAedes(sessions, options);
    await aedes.listen();
    return aedes;
  }

  private constructor(sessions: SessionStore, options: QuietAedesOptions) {
    super({ ...options, persistence: sessions });
    this.sessions = sessions;
    sessions.onChange = () => this.#isSilent.clear();
    sessions.outboxOf = (client) => this.#outboxes.get(client);
    this.authorizePublish = (client, packet, done) => this.#authorizePublish(options, client, packet, done);
    // MQTT 3.1.1 has no word for them; there too a subscription that never brings anything must not look granted.
    this.authorizeSubscribe = (client, subscription, done) => {
      if (isShared(subscription.topic)) return done(null, null);
      if (!isWellFormed(subscription.topic)) return done(new Error('a wildcard must be a whole level'));
      this.#outboxes.get(client)?.subscribe(subscription);
      done(null, subscription);
    };
    // Aedes looks clients up by their ids in a plain object, where "constructor" is always found.
    Object.assign(this, { clients: Object.create(null) });
    this.#neverTakeItselfForDead();
    this.#serveOutboxes(options);
  }

  /**
   * Aedes publishes the wills of clients whose broker gave no sign of life for three minutes, by the wall clock: set
   * forward, it would take this broker for dead and every client that is connected with it. There is no other.
   */
  #neverTakeItselfForDead(): void {
    const sign = { get: () => Number.POSITIVE_INFINITY, set: () => {}, enumerable: true };
    Object.defineProperty(this.brokers, this.id, sign);
  }

  override publish(packet: PublishPacket, client?: Client | null | Done, done?: Done): void {
    if (packet.qos > 0 && typeof client === 'object' && client !== null) {
      (packet as StoredPacket).clientId = client.id;
    }
    if (done && this.#published.delete(packet)) {
      done();
    } else if (!done || this.#isRouted(packet)) {
      (super.publish as Publish)(packet, client, done);
    } else if (packet.qos === 2) {
      this.sessions.keepReceived(packet).then(() => done(), done);
    } else {
      done();
    }
  }

  /** Publishes for the platform itself, at QoS 0. */
  tell(topic: string, payload: string | Uint8Array): void {
    const bytes = typeof payload === 'string' ? Buffer.from(payload) : asBuffer(payload);
    const packet = { cmd: 'publish', topic, payload: bytes, qos: 0, retain: false, dup: false } as const;
    this.publish(packet, null, () => {});
  }

  /** Publishes a retained message for the platform itself, at QoS 1; resolves when it is kept. Empty, it clears. */
  retain(topic: string, payload: string): Promise<void> {
    return this.#publishOwn(topic, payload, true);
  }

  /** Publishes a message for the platform itself, at QoS 1; resolves when it is kept for those who are away. */
  send(topic: string, payload: string): Promise<void> {
    return this.#publishOwn(topic, payload, false);
  }

  override subscribe(topic: string, listener: Listener, done: () => void): void {
    this.#count(topic, 1);
    this.#listeners.add(topic, listener);
    super.subscribe(topic, listener, done);
    this.onListenersChanged();
  }

  override unsubscribe(topic: string, listener: Listener, done: () => void): void {
    this.#count(topic, -1);
    this.#listeners.remove(topic, listener);
    super.unsubscribe(topic, listener, done);
    this.onListenersChanged();
  }

  /** How many subscriptions connected clients have. */
  get subscriptionCount(): number {
    return this.#subscriptionCount;
  }

  /** Whether a connected client subscribes to anything below a first level that does not begin with `$`. */
  hears(root: string): boolean {
    return this.#roots.has(root) || this.#roots.has('+') || this.#roots.has('#');
  }

  /** Whether nobody, connected or not, would get a message to this topic. */
  isSilent(topic: string): boolean {
    const known = this.#isSilent.get(topic);
    if (known !== undefined) return known;
    const isSilent = this.#listeners.match(topic).length === 0 && !this.sessions.hasListeners(topic);
    if (topic.length <= MAX_KNOWN_LENGTH) {
      if (this.#isSilent.size >= MAX_KNOWN_TOPICS) this.#isSilent.clear();
      this.#isSilent.set(topic, isSilent);
    }
    return isSilent;
  }

  #count(filter: string, change: 1 | -1): void {
    this.#isSilent.clear();
    this.#subscriptionCount += change;
    const root = filter.split('/', 1)[0]!;
    const count = (this.#roots.get(root) ?? 0) + change;
    if (count === 0) this.#roots.delete(root);
    else this.#roots.set(root, count);
  }

  #publishOwn(topic: string, payload: string, retain: boolean): Promise<void> {
    const bytes = Buffer.from(payload);
    const packet = { cmd: 'publish', topic, payload: bytes, qos: 1, retain, dup: false } as const;
    return new Promise((resolve, reject) => {
      this.publish(packet, null, (error) => (error ? reject(error) : resolve()));
    });
  }

  /**
   * A QoS 1 message is routed before PUBACK, which Aedes would send first: a crash in between would lose what was
   * acknowledged, and a client that subscribes in between would get a retained message twice.
   */
  #authorizePublish(
    { authorizePublish, metrics }: QuietAedesOptions,
    client: Client | null,
    packet: PublishPacket,
    done: (error?: Error | null) => void,
  ): void {
    // Aedes publishes a will with all of its properties, and this one may be in no PUBLISH: clients fail at it.
    const { properties } = packet;
    if (properties !== undefined && 'willDelayInterval' in properties) delete properties.willDelayInterval;
    if (client === null || packet.qos !== 1) {
      authorizePublish(client, packet, done);
      return;
    }
    authorizePublish(client, packet, (error) => {
      if (error) {
        done(error);
      } else if (!this.#isRouted(packet)) {
        this.#acknowledge(client, packet, done);
      } else {
        this.publish(packet, client, (failure) => {
          if (!failure) {
            this.#published.add(packet);
            this.#acknowledge(client, packet, done);
            return;
          }
          // Without its place in the queues it is not acknowledged: the client sends it again.
          metrics.closed('session_unwritable');
          client.conn.destroy();
        });
      }
    });
  }

  /** To Aedes, which goes on with it then, it is as if it had had QoS 0. */
  #acknowledge(client: Client, packet: PublishPacket, done: () => void): void {
    const { messageId } = packet;
    packet.qos = 0;
    this.#pubacks.send(client, messageId!, done);
  }

  #isRouted({ retain, topic }: PublishPacket): boolean {
    return retain || !this.isSilent(topic);
  }

  #serveOutboxes({ limits, metrics }: QuietAedesOptions): void {
    const accept = this.handle;
    const hiddenPrefix = `$SYS/${this.id}/`;
    this.handle = (connection, request) => {
      const client = accept(connection, request) as AedesClient;
      const outbox = new Outbox({ client, limits: limits.queue, metrics, hiddenPrefix });
      client.subscriptions = Object.create(null) as Record<string, unknown>;
      client.deliver0 = outbox.deliver;
      client.deliverQoS = outbox.deliver;
      client._parser._list = new ReceivedBytes();
      inspectPackets(client, metrics, (messageId) => outbox.acknowledged(messageId));
      this.#outboxes.set(client, outbox);
      return client;
    };
    const outboxOf = (client: Client): Outbox => this.#outboxes.get(client)!;
    this.on('clientReady', (client) => this.sessions.arrived(client, outboxOf(client)));
    this.on('clientDisconnect', (client) => {
      outboxOf(client).close();
      this.sessions.left(client, outboxOf(client));
    });
    this.on('unsubscribe', (filters, client) => {
      for (const filter of filters) outboxOf(client).unsubscribe(filter);
    });
  }
}
