import {
  type AlertTopics,
  type AlertTransition,
  type Channel,
  type Clock,
  type Config,
  knownLocation,
  type Logger,
  messageOf,
  type Notification,
  type NotificationCounts,
  type Notifications,
  NS_PER_MS,
  type PartHealth,
  type Registry,
  type SensorDirectory,
  type SetAsideReason,
  type TestFailure,
  TidemarkError,
} from '@tidemark/core';
import { type AuditLog, inTransaction, type MetaDb } from '@tidemark/store';
import { contentOf } from './content.ts';
import { Courier } from './courier.ts';
import type { Deliver, Refused } from './delivery.ts';
import { email } from './email.ts';
import { NotificationMetrics } from './metrics.ts';
import { mqtt } from './mqtt.ts';
import { type NewNotice, Outbox, type Waiting } from './outbox.ts';
import { testNotice } from './test-notice.ts';
import { webhook } from './webhook.ts';

interface NotifierOptions {
  config: Config;
  clock: Clock;
  logger: Logger;
  metrics: Registry;
  db: MetaDb;
  audit: AuditLog;
  directory: SensorDirectory;
  topics: AlertTopics;
}

type Told = Omit<AlertTransition, 'number'>;

/** Notifies channels of changes of alerts: what is to be told is kept with the change itself, and told behind it. */
export class Notifier implements Notifications {
  readonly #options: NotifierOptions;
  readonly #outbox: Outbox;
  readonly #metrics: NotificationMetrics;
  readonly #couriers = new Map<string, { channel: Channel; courier: Courier }>();
  /** Couriers whose channel is no more, until they have stopped. */
  #leaving: Promise<void> = Promise.resolve();

  constructor(options: NotifierOptions) {
    const { config, db, metrics } = options;
    this.#options = options;
    this.#outbox = new Outbox(db);
    this.#metrics = new NotificationMetrics(metrics, () => this.#outbox.counts());
    for (const [name, channel] of Object.entries(config.channels))
      this.#couriers.set(name, { channel, courier: this.#courierOf(name, channel) });
  }

  start(): void {
    this.#setAsideUnknown();
    for (const { courier } of this.#couriers.values()) courier.start();
  }

  async stop(): Promise<void> {
    await this.#leaving;
    await Promise.all([...this.#couriers.values()].map(({ courier }) => courier.stop()));
  }

  health(): PartHealth[] {
    return [...this.#couriers.values()].map(({ courier }) => courier.health());
  }

  /**
   * Takes over other channels: those that are as they were go on, what waits for one that is gone goes to the
   * quarantine. To be called again only when this has resolved.
   */
  setChannels(channels: Readonly<Record<string, Channel>>): Promise<void> {
    const before = new Map(this.#couriers);
    const fresh: Courier[] = [];
    this.#couriers.clear();
    for (const [name, channel] of Object.entries(channels)) {
      const known = before.get(name);
      const isSame = known !== undefined && JSON.stringify(known.channel) === JSON.stringify(channel);
      const courier = isSame ? known.courier : this.#courierOf(name, channel);
      this.#couriers.set(name, { channel, courier });
      if (isSame) before.delete(name);
      else fresh.push(courier);
    }
    this.#setAsideUnknown();
    // One and the same notification is not to be on two ways at once.
    this.#leaving = Promise.all([...before.values()].map(({ courier }) => courier.stop())).then(() => {
      for (const courier of fresh) courier.start();
    });
    return this.#leaving;
  }

  channels(): ReadonlyMap<string, Channel['type']> {
    return new Map(Array.from(this.#couriers, ([name, { channel }]) => [name, channel.type]));
  }

  async test(name: string): Promise<TestFailure> {
    const known = this.#couriers.get(name);
    if (known === undefined)
      throw new TidemarkError('not_found', `there is no channel ${name} in the configuration`);
    const signal = AbortSignal.timeout(this.#options.config.notifications.timeoutMs);
    try {
      const refused = await this.#deliveryOf(known.channel)(testNotice(name, this.#options.clock), signal);
      return refused?.detail;
    } catch (error) {
      return signal.aborted ? 'no answer in time' : messageOf(error);
    }
  }

  /**
   * Keeps what is to be told of these changes, one notification for each channel, within the transaction of the
   * caller, who calls the function that this returns when it is committed.
   */
  add(transitions: readonly Told[]): () => void {
    const made = transitions.filter(({ notifies }) => notifies).flatMap((one) => this.#noticesOf(one));
    if (made.length === 0) return () => {};
    const room = new Map<string, number>();
    const notices = made.map((notice) => ({ ...notice, reason: this.#obstacleTo(notice, room) }));
    for (const notice of notices) this.#outbox.add(notice);
    const evicted = this.#evict();
    return () => this.#added(notices, evicted);
  }

  list(filter: Parameters<Notifications['list']>[0]): Notification[] {
    return this.#outbox.list(filter);
  }

  get(id: string): Notification | undefined {
    return this.#outbox.get(id);
  }

  counts(): NotificationCounts[] {
    return this.#outbox.counts();
  }

  replay(...[filter, cause]: Parameters<Notifications['replay']>): number {
    const { clock } = this.#options;
    const nowNs = clock.nowNs();
    const terms = { channels: [...this.#couriers.keys()], nowNs, expiresNs: this.#expiryOf(nowNs) };
    const count = this.#audited('notification.replay', { filter, cause }, () =>
      this.#outbox.requeue(filter, terms),
    );
    for (const { courier } of this.#couriers.values()) courier.wake();
    return count;
  }

  discard(...[filter, cause]: Parameters<Notifications['discard']>): number {
    return this.#audited('notification.discard', { filter, cause }, () => this.#outbox.discard(filter));
  }

  #audited(
    action: string,
    {
      filter: { id, channel, reason },
      cause,
    }: {
      filter: Parameters<Notifications['replay']>[0];
      cause: Parameters<Notifications['replay']>[1];
    },
    work: () => number,
  ): number {
    const { db, audit } = this.#options;
    const target = { ...(id && { id }), ...(channel && { channel }), ...(reason && { reason }) };
    return inTransaction(db, () => {
      const count = work();
      if (count > 0) audit.count(audit.begin({ action, target, cause }), { notifications: count });
      return count;
    });
  }

  #courierOf(name: string, channel: Channel): Courier {
    const { config, clock, logger } = this.#options;
    return new Courier({
      ...config.notifications,
      channel: name,
      deliver: this.#deliveryOf(channel),
      outbox: this.#outbox,
      clock,
      logger,
      onDelivered: () => this.#metrics.delivered.inc({ channel: name }),
      onFailed: () => this.#metrics.failures.inc({ channel: name }),
      setAside: (notice, refused) => this.#setAside(notice, refused),
    });
  }

  #deliveryOf(channel: Channel): Deliver {
    const { config, topics } = this.#options;
    if (channel.type === 'mqtt') return mqtt({ channel, topics });
    if (channel.type === 'email') return email({ ...config.notifications, channel });
    return webhook({ ...config.notifications, channel });
  }

  #noticesOf(transition: Told): NewNotice[] {
    const { directory, clock } = this.#options;
    const sensor = directory.sensor(transition.sensor);
    const createdNs = clock.nowNs();
    const location = sensor && knownLocation(sensor, createdNs);
    return [...new Set(transition.notify)].map((channel) => {
      const key = `${transition.key}:${channel}`;
      const content = contentOf({ ...transition, number: 0 }, { key, location });
      const expiresNs = this.#expiryOf(createdNs);
      return { key, channel, alert: transition.alert, content, createdNs, expiresNs, reason: undefined };
    });
  }

  /** Why it goes to the quarantine at once; `room` is what is left of each channel's, as far as it was asked. */
  #obstacleTo({ channel }: NewNotice, room: Map<string, number>): SetAsideReason | undefined {
    if (!this.#couriers.has(channel)) return 'unknown_channel';
    const { maxWaiting } = this.#options.config.notifications;
    const left = room.get(channel) ?? maxWaiting - this.#outbox.waitingFor(channel);
    room.set(channel, left - 1);
    return left > 0 ? undefined : 'queue_full';
  }

  #added(notices: readonly NewNotice[], evicted: number): void {
    const { logger } = this.#options;
    this.#tellEvicted(evicted);
    for (const { key, channel, reason } of notices) {
      this.#couriers.get(channel)?.courier.wake();
      if (reason === undefined) continue;
      this.#metrics.setAside.inc({ channel, reason });
      logger.warn({ key, channel, reason }, 'a notification went to the quarantine at once');
    }
  }

  /** Sets aside what waits for channels that are not there. */
  #setAsideUnknown(): void {
    for (const channel of this.#outbox.setAsideUnknown([...this.#couriers.keys()]))
      this.#metrics.setAside.inc({ channel, reason: 'unknown_channel' });
    this.#tellEvicted(this.#evict());
  }

  #setAside(notice: Waiting, refused: Refused): void {
    const evicted = inTransaction(this.#options.db, () => {
      this.#outbox.setAside(notice.id, refused);
      return this.#evict();
    });
    this.#metrics.setAside.inc({ channel: notice.channel, reason: refused.reason });
    this.#tellEvicted(evicted);
  }

  #evict(): number {
    return this.#outbox.evict(this.#options.config.notifications.maxQuarantined);
  }

  #tellEvicted(count: number): void {
    if (count === 0) return;
    this.#metrics.evicted.inc(count);
    this.#options.logger.warn({ count }, 'the oldest notifications left the quarantine for want of room');
  }

  #expiryOf(timeNs: bigint): bigint {
    return timeNs + BigInt(this.#options.config.notifications.maxAgeMs) * NS_PER_MS;
  }
}
