import {
  type AlertTopics,
  type AlertTransition,
  type Channel,
  type Clock,
  type Config,
  knownLocation,
  type Logger,
  type Notification,
  type NotificationCounts,
  type Notifications,
  NS_PER_MS,
  type PartHealth,
  type Registry,
  type SensorDirectory,
  type SetAsideReason,
} from '@tidemark/core';
import { type AuditLog, inTransaction, type MetaDb } from '@tidemark/store';
import { contentOf } from './content.ts';
import { Courier } from './courier.ts';
import type { Deliver, Refused } from './delivery.ts';
import { email } from './email.ts';
import { NotificationMetrics } from './metrics.ts';
import { mqtt } from './mqtt.ts';
import { type NewNotice, Outbox, type Waiting } from './outbox.ts';
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
  readonly #couriers: ReadonlyMap<string, Courier>;

  constructor(options: NotifierOptions) {
    const { config, db, metrics } = options;
    this.#options = options;
    this.#outbox = new Outbox(db);
    this.#metrics = new NotificationMetrics(metrics, () => this.#outbox.counts());
    this.#couriers = new Map(
      Object.entries(config.channels).map(([name, channel]) => [name, this.#courierOf(name, channel)]),
    );
  }

  start(): void {
    for (const channel of this.#outbox.setAsideUnknown([...this.#couriers.keys()]))
      this.#metrics.setAside.inc({ channel, reason: 'unknown_channel' });
    this.#tellEvicted(this.#evict());
    for (const courier of this.#couriers.values()) courier.start();
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#couriers.values()].map((courier) => courier.stop()));
  }

  health(): PartHealth[] {
    return [...this.#couriers.values()].map((courier) => courier.health());
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
    for (const courier of this.#couriers.values()) courier.wake();
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
      this.#couriers.get(channel)?.wake();
      if (reason === undefined) continue;
      this.#metrics.setAside.inc({ channel, reason });
      logger.warn({ key, channel, reason }, 'a notification went to the quarantine at once');
    }
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
