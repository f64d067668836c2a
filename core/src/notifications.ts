import type { Channel, NotificationField } from './channels.ts';
import type { Cause } from './ports.ts';

/** Why a notification was set aside. A closed list. */
export const setAsideReasons = [
  /** It was tried for as long as `notifications.maxAgeMs` says. */
  'expired',
  /** The other side says that it will never take it. */
  'refused',
  /** The other side names another host, which is not followed. */
  'redirected',
  /** The host has a private address, and does not stand in `notifications.privateHosts`. */
  'address_refused',
  /** As many as `notifications.maxWaiting` waited for its channel. */
  'queue_full',
  /** No channel has that name. */
  'unknown_channel',
] as const;
export type SetAsideReason = (typeof setAsideReasons)[number];

/** What is told: the change of an alert. */
export type NotificationContent = Readonly<Record<NotificationField, string | number | null>>;

/** One change of an alert on its way to one channel. What was delivered is kept no longer. */
export interface Notification {
  id: string;
  /** The same however often it is sent: `<key of the change>:<channel>`. */
  key: string;
  channel: string;
  content: NotificationContent;
  /** How often it was tried. */
  attempts: number;
  createdNs: bigint;
  /** When it is tried next. */
  nextNs: bigint;
  /** Undefined while it waits; else it is in the quarantine. */
  reason: SetAsideReason | undefined;
  /** What came of the newest try; undefined before the first. */
  detail: string | undefined;
}

export interface NotificationFilter {
  /** Those that wait, or those in the quarantine. */
  state?: 'waiting' | 'quarantined' | undefined;
  channel?: string | undefined;
  reason?: SetAsideReason | undefined;
}

export interface NotificationCounts {
  channel: string;
  /** Undefined for those that wait. */
  reason: SetAsideReason | undefined;
  count: number;
}

/** What came of a test: undefined when the channel took it, else why not. */
export type TestFailure = string | undefined;

/** Notifications that are on their way, and those that could not be delivered. */
export interface Notifications {
  /** The channels of the configuration, as they are now, by name. */
  channels(): ReadonlyMap<string, Channel['type']>;
  /**
   * Sends a notification of no alert on a channel at once, and keeps nothing of it; resolves within
   * `notifications.timeoutMs`. Throws `not_found`.
   */
  test(channel: string): Promise<TestFailure>;
  /** In order of their ids, up to `limit`, those after id `after`. */
  list(filter: NotificationFilter & { limit: number; after?: number | undefined }): Notification[];
  get(id: string): Notification | undefined;
  /** By channel and reason. */
  counts(): NotificationCounts[];
  /**
   * Sends those in the quarantine that match again, with the keys they had; returns how many. Leaves those whose
   * channel does not exist. Durable when it returns, with a line in the audit log.
   */
  replay(filter: NotificationFilter & { id?: string | undefined }, cause: Cause): number;
  /** Removes those in the quarantine that match for good; returns how many. Durable, with a line in the audit log. */
  discard(filter: NotificationFilter & { id?: string | undefined }, cause: Cause): number;
}
