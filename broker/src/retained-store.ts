import { Readable } from 'node:stream';
import { claimOf, type Logger } from '@tidemark/core';
import type { Client } from 'aedes';
import LevelPersistence, { type StoredPacket } from 'aedes-persistence-level/asyncPersistence.js';
import type { ClassicLevel } from 'classic-level';
import { LimitedLog } from './limited-log.ts';
import type { BrokerMetrics } from './metrics.ts';
import { upTo } from './session-queue.ts';
import { isHidden } from './subscriptions.ts';

interface RetainedStoreOptions {
  db: ClassicLevel<string, unknown>;
  /** Topics with a retained message. */
  maxRetained: number;
  metrics: BrokerMetrics;
  logger: Logger;
}

const RETAINED = 'retained:';
const WILL = 'will:';

/** Retained messages and wills, as aedes-persistence-level keeps them; bounded, and those of a topic in order. */
export class RetainedStore extends LevelPersistence {
  /** Retained messages that match a filter and are not stored: the platform's own. */
  ownRetained: (filter: string) => Iterable<StoredPacket> = () => [];
  readonly #db: ClassicLevel<string, unknown>;
  readonly #maxRetained: number;
  readonly #metrics: BrokerMetrics;
  readonly #unread: LimitedLog;
  readonly #retained = new Set<string>();
  /** The newest write of each topic that is written to. */
  readonly #storing = new Map<string, Promise<void>>();
  /** Clients whose wills are stored. */
  readonly #wills = new Set<string>();

  constructor({ db, maxRetained, metrics, logger }: RetainedStoreOptions) {
    super(db);
    this.#db = db;
    this.#maxRetained = maxRetained;
    this.#metrics = metrics;
    this.#unread = new LimitedLog(logger, 'subscribers lack retained messages: they cannot be read');
  }

  /** Takes over what the broker before this one left. */
  async load(): Promise<void> {
    for await (const key of this.#db.keys({ gte: RETAINED, lt: upTo(RETAINED) })) {
      this.#retained.add(key.slice(RETAINED.length));
    }
    for await (const key of this.#db.keys({ gte: WILL, lt: upTo(WILL) })) {
      this.#wills.add(decodeURIComponent(key.slice(WILL.length)));
    }
  }

  /** Resolves when everything that was decided has been written, or could not be. */
  async stop(): Promise<void> {
    await Promise.allSettled(this.#storing.values());
    this.#unread.stop();
  }

  get retainedCount(): number {
    return this.#retained.size;
  }

  override async storeRetained(packet: StoredPacket): Promise<void> {
    const { topic, payload } = packet;
    if (payload.length === 0) {
      this.#retained.delete(topic);
    } else if (!this.#retained.has(topic) && this.#retained.size >= this.#maxRetained) {
      this.#metrics.drop('retained_full');
      return;
    } else {
      this.#retained.add(topic);
    }
    await this.#inOrder(topic, () => super.storeRetained(packet));
  }

  /** LevelDB runs its calls in a pool of threads, where a later write may overtake an earlier one. */
  async #inOrder(topic: string, write: () => Promise<void>): Promise<void> {
    const before = this.#storing.get(topic);
    const written = before ? before.then(write, write) : write();
    this.#storing.set(topic, written);
    try {
      await written;
    } finally {
      if (this.#storing.get(topic) === written) this.#storing.delete(topic);
    }
  }

  override createRetainedStreamCombi(filters: string[]): Readable {
    return Readable.from(this.#retainedFor(filters));
  }

  /** Never fails: Aedes listens for no error of the stream, which would end the process. */
  async *#retainedFor(filters: readonly string[]): AsyncGenerator<StoredPacket> {
    try {
      for (const filter of filters) {
        yield* this.ownRetained(filter);
        for await (const packet of super.createRetainedStream(filter) as AsyncIterable<StoredPacket>) {
          if (!isHidden(packet.topic, filter)) yield packet;
        }
      }
    } catch (error) {
      this.#metrics.drop('retained_unreadable');
      this.#unread.tell(error);
    }
  }

  /** A will that may not be published is not stored: the wills left by a crash are published all or none. */
  override async putWill(client: Client, packet: StoredPacket): Promise<void> {
    if (claimOf(packet.topic).kind === 'own') return;
    this.#wills.add(client.id);
    await super.putWill(client, packet);
  }

  /** Aedes asks for it at each connection: who has left no will costs no look at the database. */
  override async delWill(client: { id: string }): Promise<unknown> {
    return this.#wills.delete(client.id) ? super.delWill(client) : undefined;
  }
}
