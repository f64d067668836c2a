import { Counter, Gauge, type NotificationCounts, type Registry } from '@tidemark/core';

export class NotificationMetrics {
  readonly delivered: Counter<'channel'>;
  readonly failures: Counter<'channel'>;
  readonly setAside: Counter<'channel' | 'reason'>;
  readonly evicted: Counter;

  /** What the counts are is asked when they are scraped. */
  constructor(registry: Registry, counts: () => NotificationCounts[]) {
    const registers = [registry];
    this.delivered = new Counter({
      name: 'tidemark_notifications_delivered_total',
      help: 'Notifications that a channel has taken',
      labelNames: ['channel'],
      registers,
    });
    this.failures = new Counter({
      name: 'tidemark_notifications_failed_tries_total',
      help: 'Tries to deliver a notification that failed and may yet succeed',
      labelNames: ['channel'],
      registers,
    });
    this.setAside = new Counter({
      name: 'tidemark_notifications_quarantined_total',
      help: 'Notifications that were given up and went to their quarantine, by reason',
      labelNames: ['channel', 'reason'],
      registers,
    });
    this.evicted = new Counter({
      name: 'tidemark_notifications_evicted_total',
      help: 'Notifications that left their quarantine for want of room (notifications.maxQuarantined)',
      registers,
    });
    new Gauge({
      name: 'tidemark_notifications_waiting',
      help: 'Notifications that wait for their channel',
      labelNames: ['channel'],
      registers,
      collect() {
        this.reset();
        for (const { channel, reason, count } of counts())
          if (reason === undefined) this.set({ channel }, count);
      },
    });
  }
}
