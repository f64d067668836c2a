import type { Subscription } from 'aedes';
import type { ClassicLevel } from 'classic-level';
import type { Change, GroupWriter } from './group-writer.ts';
import { upTo } from './session-queue.ts';
import { filterTrie, isHidden, Subscriptions } from './subscriptions.ts';

const prefix = 'subscription:';

/** The stored subscriptions of one client that match a message. */
export interface Match {
  clientId: string;
  /** The filter of one of them. */
  topic: string;
  matching: readonly Subscription[];
}

interface Entry {
  clientId: string;
  subscription: Subscription;
}

/** The subscriptions of sessions that outlive their connections: in memory to be matched, in the database to be kept. */
export class StoredSubscriptions {
  readonly #writer: GroupWriter;
  readonly #byClient = new Map<string, Subscriptions>();
  readonly #entries = new Map<Subscription, Entry>();
  readonly #trie = filterTrie<Entry>();

  constructor(writer: GroupWriter) {
    this.#writer = writer;
  }

  async load(db: ClassicLevel<string, unknown>): Promise<void> {
    for await (const [key, value] of db.iterator({ gte: prefix, lt: upTo(prefix), valueEncoding: 'utf8' })) {
      const clientId = decodeURIComponent(key.split(':')[1]!);
      this.#set(clientId, JSON.parse(String(value)) as Subscription);
    }
  }

  get size(): number {
    return this.#entries.size;
  }

  of(clientId: string): Subscription[] {
    return [...(this.#byClient.get(clientId)?.all() ?? [])];
  }

  /** Resolves when they are stored. */
  async add(clientId: string, subscriptions: readonly Subscription[]): Promise<void> {
    const changes = subscriptions.map((subscription): Change => {
      this.#set(clientId, { ...subscription });
      const value = Buffer.from(JSON.stringify(subscription));
      return { type: 'put', key: keyOf(clientId, subscription.topic), value };
    });
    if (changes.length > 0) await this.#writer.write(...changes);
  }

  /** Resolves when they are gone from the database too. */
  async delete(clientId: string, filters: readonly string[]): Promise<void> {
    const changes = filters.map((filter): Change => {
      this.#unset(clientId, filter);
      return { type: 'del', key: keyOf(clientId, filter) };
    });
    if (changes.length > 0) await this.#writer.write(...changes);
  }

  match(topic: string): Match[] {
    if (this.#entries.size === 0) return [];
    const found = new Map<string, Match & { matching: Subscription[] }>();
    for (const { clientId, subscription } of this.#trie.match(topic)) {
      if (isHidden(topic, subscription.topic)) continue;
      const match = found.get(clientId);
      if (match) match.matching.push(subscription);
      else found.set(clientId, { clientId, topic: subscription.topic, matching: [subscription] });
    }
    return [...found.values()];
  }

  #set(clientId: string, subscription: Subscription): void {
    this.#unset(clientId, subscription.topic);
    let own = this.#byClient.get(clientId);
    if (own === undefined) {
      own = new Subscriptions();
      this.#byClient.set(clientId, own);
    }
    own.set(subscription);
    const entry = { clientId, subscription };
    this.#entries.set(subscription, entry);
    this.#trie.add(subscription.topic, entry);
  }

  #unset(clientId: string, filter: string): void {
    const own = this.#byClient.get(clientId);
    const subscription = own?.get(filter);
    if (own === undefined || subscription === undefined) return;
    own.delete(filter);
    if (own.size === 0) this.#byClient.delete(clientId);
    this.#trie.remove(filter, this.#entries.get(subscription)!);
    this.#entries.delete(subscription);
  }
}

function keyOf(clientId: string, filter: string): string {
  return `${prefix}${encodeURIComponent(clientId)}:${filter}`;
}
