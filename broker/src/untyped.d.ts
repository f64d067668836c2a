// Packages that ship no types, as far as they are used here.

/** Aedes 2 takes the asynchronous form, which the package's main entry does not export. */
declare module 'aedes-persistence-level/asyncPersistence.js' {
  import type { Client, Subscription } from 'aedes';
  import type { ClassicLevel } from 'classic-level';
  export default class LevelPersistence {
    constructor(db: ClassicLevel<string, unknown>);
    addSubscriptions(client: Client, subscriptions: Subscription[]): Promise<void>;
    removeSubscriptions(client: Client, topics: string[]): Promise<void>;
    cleanSubscriptions(client: Client): Promise<unknown>;
    subscriptionsByTopic(topic: string): Promise<unknown[]>;
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
