import './silent-debug.ts';

import { Aedes, type AedesOptions, type Client, type PublishPacket } from 'aedes';
import LevelPersistence from 'aedes-persistence-level/asyncPersistence.js';
import type { ClassicLevel } from 'classic-level';
import { Qlobber } from 'qlobber';

type Done = (error?: Error) => void;
type Listener = Parameters<Aedes['subscribe']>[1];
type Publish = (packet: PublishPacket, client?: Client | null | Done, done?: Done) => void;

/** Topics whose silence is remembered; cleared when full, and whenever any subscription changes. */
const MAX_KNOWN_TOPICS = 100_000;
/** Longer topics are always routed: a topic may have 64 KiB. */
const MAX_KNOWN_LENGTH = 280;

/**
 * Aedes that does not route what nobody listens to. Most readings have no MQTT subscriber: for them the
 * matching, queueing and emitting of each message costs Aedes about as much again as taking it in
 * (`npm run bench -- mqtt-publish`). A topic is silent when no connected client and no stored session
 * subscribes to it; retained messages are always routed.
 */
export class QuietAedes extends Aedes {
  readonly #sessions: ObservedSessions;
  readonly #listeners = new Qlobber<Listener>({
    separator: '/',
    wildcard_one: '+',
    wildcard_some: '#',
    match_empty_levels: true,
  });
  readonly #isSilent = new Map<string, boolean>();
  #version = 0;

  /** Brings up a broker whose sessions, subscriptions and retained messages are kept in `db`. */
  static async open(db: ClassicLevel<string, unknown>, options: AedesOptions): Promise<QuietAedes> {
    const sessions = new ObservedSessions(db);
    const aedes = new QuietAedes(sessions, options);
    await aedes.listen();
    return aedes;
  }

  private constructor(sessions: ObservedSessions, options: AedesOptions) {
    super({ ...options, persistence: sessions });
    this.#sessions = sessions;
    sessions.onChange = () => this.#forget();
  }

  override publish(packet: PublishPacket, client?: Client | null | Done, done?: Done): void {
    if (done && !packet.retain && this.#isUnheard(packet.topic)) done();
    else (super.publish as Publish)(packet, client, done);
  }

  override subscribe(topic: string, listener: Listener, done: () => void): void {
    this.#forget();
    this.#listeners.add(topic, listener);
    super.subscribe(topic, listener, done);
  }

  override unsubscribe(topic: string, listener: Listener, done: () => void): void {
    this.#forget();
    this.#listeners.remove(topic, listener);
    super.unsubscribe(topic, listener, done);
  }

  /** False also while it is not known yet: then the message is routed, which is always right. */
  #isUnheard(topic: string): boolean {
    const known = this.#isSilent.get(topic);
    if (known !== undefined) return known;
    if (topic.length > MAX_KNOWN_LENGTH) return false;
    if (this.#isSilent.size >= MAX_KNOWN_TOPICS) this.#isSilent.clear();
    this.#isSilent.set(topic, false);
    void this.#lookUp(topic);
    return false;
  }

  async #lookUp(topic: string): Promise<void> {
    const version = this.#version;
    if (this.#listeners.match(topic).length > 0) return;
    const stored = await this.#sessions.subscriptionsByTopic(topic);
    if (version === this.#version) this.#isSilent.set(topic, stored.length === 0);
  }

  #forget(): void {
    this.#version++;
    this.#isSilent.clear();
  }
}

/** The session store, telling before any of its subscriptions change. */
class ObservedSessions extends LevelPersistence {
  onChange: () => void = () => {};

  override addSubscriptions(...args: Parameters<LevelPersistence['addSubscriptions']>): Promise<void> {
    this.onChange();
    return super.addSubscriptions(...args);
  }

  override removeSubscriptions(...args: Parameters<LevelPersistence['removeSubscriptions']>): Promise<void> {
    this.onChange();
    return super.removeSubscriptions(...args);
  }

  override cleanSubscriptions(...args: Parameters<LevelPersistence['cleanSubscriptions']>): Promise<unknown> {
    this.onChange();
    return super.cleanSubscriptions(...args);
  }
}
