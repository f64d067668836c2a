// Packages that ship no types, as far as they are used here.

/** Aedes 2 takes the asynchronous form, which the package's main entry does not export. */
declare module 'aedes-persistence-level/asyncPersistence.js' {
  import type { Readable } from 'node:stream';
  import type { Client, PublishPacket, Subscription } from 'aedes';
  import type { ClassicLevel } from 'classic-level';
  import type { Match } from './stored-subscriptions.ts';

  /** A message as Aedes routes it. */
  export type StoredPacket = PublishPacket & { clientId?: string };

  export default class LevelPersistence {
    constructor(db: ClassicLevel<string, unknown>);
    addSubscriptions(client: Client, subscriptions: Subscription[]): Promise<void>;
    removeSubscriptions(client: Client, filters: string[]): Promise<void>;
    cleanSubscriptions(client: Client): Promise<unknown>;
    subscriptionsByClient(client: { id: string }): Promise<Subscription[]>;
    subscriptionsByTopic(topic: string): Promise<unknown[]>;
    outgoingEnqueueCombi(matches: Match[], packet: StoredPacket): Promise<unknown>;
    outgoingClearMessageId(client: Client, packet: { messageId: number }): Promise<unknown>;
    outgoingUpdate(client: Client, packet: { messageId: number }): Promise<void>;
    outgoingStream(client: Client): Iterable<unknown> | Readable;
    incomingStorePacket(client: Client, packet: PublishPacket): Promise<void>;
    incomingGetPacket(client: Client, packet: PublishPacket): Promise<unknown>;
    incomingDelPacket(client: Client, packet: { messageId: number }): Promise<void>;
    storeRetained(packet: StoredPacket): Promise<void>;
    createRetainedStream(filter: string): Readable;
    createRetainedStreamCombi(filters: string[]): Readable;
    putWill(client: Client, packet: StoredPacket): Promise<void>;
    delWill(client: { id: string }): Promise<unknown>;
    streamWill(brokers: object): Readable;
  }
}

declare module 'qlobber' {
  interface QlobberOptions {
    separator: string;
    wildcard_one: string;
    wildcard_some: string;
    match_empty_levels: boolean;
  }
  export class Qlobber<Value> {
    constructor(options: QlobberOptions);
    add(topic: string, value: Value): this;
    remove(topic: string, value: Value): this;
    match(topic: string): Value[];
  }
}
