import type { Clock, Logger } from '@tidemark/core';
import type { Client, PublishPacket, Subscription } from 'aedes';
import type { StoredPacket } from 'aedes-persistence-level/asyncPersistence.js';
import type { ClassicLevel } from 'classic-level';
import { GroupWriter } from './group-writer.ts';
import { LimitedLog } from './limited-log.ts';
import type { BrokerMetrics, DropReason } from './metrics.ts';
import type { Outbox } from './outbox.ts';
import { ReceivedIds } from './received-ids.ts';
import { RetainedStore } from './retained-store.ts';
import {
  outgoingOf,
  type QueuedMessage,
  type QueueLimits,
  rangeOf,
  SessionQueue,
  storedKeys,
} from './session-queue.ts';
import { SessionRecords } from './session-records.ts';
import { type Match, StoredSubscriptions } from './stored-subscriptions.ts';
import { grantOf, isShared } from './subscriptions.ts';

export interface SessionLimits {
  queue: QueueLimits;
  /** Longest that a session outlives its connection. */
  maxExpirySeconds: number;
  /** Sessions of clients that are away. */
  maxAway: number;
  /** Topics with a retained message. */
  maxRetained: number;
}

interface SessionStoreOptions {
  db: ClassicLevel<string, unknown>;
  limits: SessionLimits;
  metrics: BrokerMetrics;
  clock: Clock;
  logger: Logger;
}

const SWEEP_EVERY_MS = 10_000;
/**
 * Restored for a session without subscriptions, so that Aedes tells its client that it is there (it counts
 * subscriptions to know). Shared subscriptions are refused, so it comes to nothing.
 */
const placeholder: Subscription = { topic: '$share/none/none', qos: 0 };

/**
 * What outlives a connection. Sessions, their subscriptions, their queues and the ids of received QoS 2 messages
 * are kept here, bounded and in order. aedes-persistence-level takes a subscription that another one overlaps for
 * the same, orders queues by the id of the broker's process and knows no limit; and Aedes stores the id of a QoS 2
 * message before the message, so that a crash between the two loses it.
 */
export class SessionStore extends RetainedStore {
  /** Called before a change of the stored subscriptions. */
  onChange: () => void = () => {};
  /** How the messages to a client that is connected go out. */
  outboxOf: (client: Client) => Outbox | undefined = () => undefined;
  /** Sessions ended since the start because their clients stayed away. */
  expiredCount = 0;
  readonly #db: ClassicLevel<string, unknown>;
  readonly #limits: SessionLimits;
  readonly #metrics: BrokerMetrics;
  readonly #unwritten: LimitedLog;
  readonly #unreadable: LimitedLog;
  readonly #writer: GroupWriter;
  readonly #records: SessionRecords;
  readonly #subscriptions: StoredSubscriptions;
  readonly #queues = new Map<string, SessionQueue>();
  /** Clients that are connected and whose sessions are kept. */
  readonly #online = new Map<string, Outbox>();
  /** Sessions that are just being removed. */
  readonly #ending = new Map<string, Promise<void>>();
  readonly #received: ReceivedIds;
  #sweeper: NodeJS.Timeout | undefined;

  constructor({ db, limits, metrics, clock, logger }: SessionStoreOptions) {
    super({ db, maxRetained: limits.maxRetained, metrics, logger });
    this.#db = db;
    this.#limits = limits;
    this.#metrics = metrics;
    this.#unwritten = new LimitedLog(logger, 'MQTT sessions could not be written');
    this.#unreadable = new LimitedLog(logger, 'connections are closed: their sessions cannot be read');
    this.#writer = new GroupWriter(db, (error) => this.#unwritten.tell(error));
    this.#records = new SessionRecords(this.#writer, clock);
    this.#subscriptions = new StoredSubscriptions(this.#writer);
    this.#received = new ReceivedIds(this.#writer);
  }

  /** Takes over what the broker before this one left. */
  override async load(): Promise<void> {
    await super.load();
    await this.#subscriptions.load(this.#db);
    await this.#records.load(this.#db);
    await this.#received.load(this.#db);
    for await (const { clientId, key } of storedKeys(this.#db)) this.#queueOf(clientId).recount(key);
    this.#sweeper = setInterval(() => this.#sweep(), SWEEP_EVERY_MS);
  }

  /** Resolves when everything that was decided has been written. */
  override async stop(): Promise<void> {
    clearInterval(this.#sweeper);
    await super.stop();
    await Promise.all(this.#ending.values());
    await this.#writer.flush();
    this.#unwritten.stop();
    this.#unreadable.stop();
  }

  get awayCount(): number {
    return this.#records.awayCount;
  }

  get subscriptionCount(): number {
    return this.#subscriptions.size;
  }

  get queuedCount(): number {
    let count = 0;
    for (const queue of this.#queues.values()) count += queue.count;
    return count;
  }

  hasListeners(topic: string): boolean {
    return this.#subscriptions.match(topic).length > 0;
  }

  // --- the coming and going of clients

  /** A connection is complete: what its session kept for it may be sent. If it cannot be read, it is closed. */
  arrived(client: Client, outbox: Outbox): void {
    this.#resume(client, outbox).catch((error: unknown) => {
      this.#unreadable.tell(error);
      this.#metrics.closed('session_unreadable');
      client.conn.destroy();
    });
  }

  async #resume(client: Client, outbox: Outbox): Promise<void> {
    // MQTT 5 may resume a session that is then not to be kept: it ends with the connection.
    if (client.clean && !this.#records.has(client.id)) return;
    this.#records.arrived(client.id, this.#expiryOf(client));
    this.#online.set(client.id, outbox);
    const queue = this.#queueOf(client.id);
    if (queue.count > 0) {
      // What was queued before this may still be on its way to the database.
      await this.#writer.flush();
      await queue.load(this.#db);
    }
    outbox.start(queue);
  }

  /** A connection has ended; unless another one has taken it over, its session waits. */
  left(client: Client, outbox: Outbox | undefined): void {
    if (client.clean) this.#received.forget(client.id);
    if (this.#online.get(client.id) !== outbox) return;
    this.#online.delete(client.id);
    if (client.clean) return;
    this.#queues.get(client.id)?.unload();
    this.#records.left(client.id, this.#expiryOf(client));
    const longest = this.#records.longestAway();
    if (this.#records.awayCount > this.#limits.maxAway && longest !== undefined) {
      void this.#end(longest, 'too_many_sessions');
    }
  }

  /** Aedes calls it when a session ends: at a clean start, and at its expiry. */
  override async cleanSubscriptions({ id }: Client): Promise<void> {
    await this.#end(id, 'session_ended');
  }

  #expiryOf({ sessionExpiryInterval }: Client): number {
    return Math.min(sessionExpiryInterval, this.#limits.maxExpirySeconds);
  }

  #sweep(): void {
    this.#records.followClock();
    for (const clientId of this.#records.expired()) void this.#expire(clientId);
  }

  async #expire(clientId: string): Promise<void> {
    this.expiredCount++;
    await this.#end(clientId, 'session_expired');
  }

  async #end(clientId: string, reason: DropReason): Promise<void> {
    const queue = this.#queues.get(clientId);
    const isKnown = this.#records.has(clientId) || queue !== undefined;
    this.#queues.delete(clientId);
    this.#records.delete(clientId);
    this.#received.forget(clientId);
    const filters = this.#subscriptions.of(clientId).map(({ topic }) => topic);
    if (filters.length > 0) this.onChange();
    const removed = this.#subscriptions.delete(clientId, filters);
    if (queue) this.#metrics.drop(reason, queue.count);
    if (!isKnown) return;
    const isGone = removed.then(() => this.#db.clear(rangeOf(clientId)));
    const ending = isGone.finally(() => this.#ending.delete(clientId));
    this.#ending.set(clientId, ending);
    await ending;
  }

  #queueOf(clientId: string): SessionQueue {
    let queue = this.#queues.get(clientId);
    if (queue === undefined) {
      queue = new SessionQueue(clientId, this.#limits.queue, this.#writer);
      this.#queues.set(clientId, queue);
    }
    return queue;
  }

  // --- subscriptions

  override async addSubscriptions({ id }: Client, subscriptions: Subscription[]): Promise<void> {
    this.onChange();
    // Aedes has all filters of a packet stored, those that it refused included.
    await this.#subscriptions.add(
      id,
      subscriptions.filter(({ topic }) => !isShared(topic)),
    );
  }

  override async removeSubscriptions({ id }: Client, filters: string[]): Promise<void> {
    this.onChange();
    await this.#subscriptions.delete(id, filters);
  }

  override async subscriptionsByClient({ id }: { id: string }): Promise<Subscription[]> {
    if (this.#records.isExpired(id)) await this.#expire(id);
    await this.#ending.get(id);
    const own = this.#subscriptions.of(id);
    return own.length > 0 || !this.#records.has(id) ? own : [placeholder];
  }

  override async subscriptionsByTopic(topic: string): Promise<Match[]> {
    return this.#subscriptions.match(topic);
  }

  // --- messages to clients

  override async outgoingEnqueueCombi(matches: Match[], packet: StoredPacket): Promise<void> {
    const changes = this.#received.takeChanges(packet.properties);
    const added: { message: QueuedMessage; outbox: Outbox | undefined }[] = [];
    for (const { clientId, matching } of matches) {
      const grant = grantOf(matching, packet.clientId === clientId);
      const outgoing = grant && outgoingOf(packet, grant);
      if (outgoing === undefined) continue;
      const outbox = this.#online.get(clientId);
      const result = this.#queueOf(clientId).add(outgoing, outbox !== undefined);
      if (result === undefined) this.#metrics.drop('queue_full');
      if (result?.change === undefined) continue;
      changes.push(result.change);
      added.push({ message: result.message, outbox });
    }
    if (changes.length > 0) await this.#writer.write(...changes);
    for (const { message, outbox } of added) {
      message.isReady = true;
      outbox?.pump();
    }
  }

  /** A message, or the PUBREL of one, was acknowledged, or refused. */
  override async outgoingClearMessageId(client: Client, { messageId }: { messageId: number }): Promise<void> {
    this.outboxOf(client)?.acknowledged(messageId);
  }

  /** PUBREC came for a message of a session that is kept. */
  override async outgoingUpdate(client: Client, { messageId }: { messageId: number }): Promise<void> {
    await this.outboxOf(client)?.released(messageId);
  }

  /**
   * Nothing: an outbox sends what a session kept, when the connection is complete. Not even an empty stream: when
   * thousands connect at once, theirs outlive the young generation and cost more than the connections.
   */
  override outgoingStream(): Iterable<never> {
    return [];
  }

  // --- QoS 2 from clients

  /** Only remembers that the id is to be stored: that is done together with the message, in one write. */
  override async incomingStorePacket(client: Client, packet: PublishPacket): Promise<void> {
    this.#received.add(client, packet);
  }

  /** Rejects, as Aedes wants it, unless a message with this id was received and not yet released. */
  override async incomingGetPacket({ id }: Client, packet: PublishPacket): Promise<PublishPacket> {
    if (!this.#received.has(id, packet.messageId!)) throw new Error('no such packet');
    return packet;
  }

  override async incomingDelPacket({ id }: Client, { messageId }: { messageId: number }): Promise<void> {
    await this.#received.delete(id, messageId);
  }

  /** Stores the id of a QoS 2 message that nobody subscribes to. */
  async keepReceived({ properties }: PublishPacket): Promise<void> {
    const changes = this.#received.takeChanges(properties);
    if (changes.length > 0) await this.#writer.write(...changes);
  }
}
