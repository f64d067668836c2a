import type {
  Notification as Notice,
  NotificationContent,
  NotificationCounts,
  NotificationFilter,
  SetAsideReason,
} from '@tidemark/core';
import type { MetaDb } from '@tidemark/store';

/** A notification that is about to be made. */
export interface NewNotice {
  key: string;
  channel: string;
  /** Id of the alert: what is told of one alert on one channel keeps its order. */
  alert: string;
  content: NotificationContent;
  createdNs: bigint;
  expiresNs: bigint;
  /** Set aside at once. */
  reason: SetAsideReason | undefined;
}

/** A notification with the time until which it is tried. */
export type Waiting = Notice & { expiresNs: bigint };

interface Row {
  id: bigint;
  key: string;
  channel: string;
  content: string;
  attempts: bigint;
  created_ns: bigint;
  expires_ns: bigint;
  next_ns: bigint;
  reason: SetAsideReason | null;
  detail: string | null;
}

const HAS_NO_ELDER = `NOT EXISTS (
  SELECT 1 FROM notifications AS elder
  WHERE elder.reason IS NULL AND elder.channel = notifications.channel AND elder.alert = notifications.alert
    AND elder.id < notifications.id
)`;

/** Notifications that wait and their quarantine, in meta.db. */
export class Outbox {
  readonly #db: MetaDb;

  constructor(db: MetaDb) {
    this.#db = db;
  }

  /** Adds within the transaction of its caller; one whose key is there is left out. */
  add({ key, channel, alert, content, createdNs, expiresNs, reason }: NewNotice): void {
    this.#db
      .prepare(
        `INSERT OR IGNORE INTO notifications
           (key, channel, alert, content, attempts, created_ns, expires_ns, next_ns, reason)
         VALUES (?, ?, ?, ?, 0, ?, ?, ?, ?)`,
      )
      .run(key, channel, alert, JSON.stringify(content), createdNs, expiresNs, createdNs, reason ?? null);
  }

  /** The one that is to be sent next on a channel, when it is time for it or not yet. */
  next(channel: string): Waiting | undefined {
    return this.#select(`channel = ? AND reason IS NULL AND ${HAS_NO_ELDER} ORDER BY next_ns, id LIMIT 1`, [
      channel,
    ])[0];
  }

  /** It was delivered. */
  remove(id: string): void {
    this.#db.prepare('DELETE FROM notifications WHERE id = ?').run(Number(id));
  }

  postpone(id: string, { nextNs, detail }: { nextNs: bigint; detail: string }): void {
    this.#db
      .prepare('UPDATE notifications SET attempts = attempts + 1, next_ns = ?, detail = ? WHERE id = ?')
      .run(nextNs, detail, Number(id));
  }

  setAside(id: string, { reason, detail }: { reason: SetAsideReason; detail: string }): void {
    this.#db
      .prepare('UPDATE notifications SET attempts = attempts + 1, reason = ?, detail = ? WHERE id = ?')
      .run(reason, detail, Number(id));
  }

  /** Sets aside what waits for channels that are there no longer; returns for which, each as often as it was. */
  setAsideUnknown(channels: readonly string[]): string[] {
    const rows = this.#db
      .prepare(
        `UPDATE notifications SET reason = 'unknown_channel', detail = 'the channel is no longer in the configuration'
         WHERE reason IS NULL AND channel NOT IN (SELECT value FROM json_each(?)) RETURNING channel`,
      )
      .all(JSON.stringify(channels));
    return (rows as { channel: string }[]).map(({ channel }) => channel);
  }

  /** Removes the oldest of the quarantine beyond `max`; returns how many. */
  evict(max: number): number {
    const { changes } = this.#db
      .prepare(
        `DELETE FROM notifications WHERE id IN
           (SELECT id FROM notifications WHERE reason IS NOT NULL ORDER BY id DESC LIMIT -1 OFFSET ?)`,
      )
      .run(max);
    return Number(changes);
  }

  waitingFor(channel: string): number {
    const row = this.#db
      .prepare('SELECT count(*) AS count FROM notifications WHERE channel = ? AND reason IS NULL')
      .get(channel);
    return (row as { count: number }).count;
  }

  counts(): NotificationCounts[] {
    const rows = this.#db
      .prepare('SELECT channel, reason, count(*) AS count FROM notifications GROUP BY channel, reason')
      .all();
    return (rows as { channel: string; reason: SetAsideReason | null; count: number }[]).map(
      ({ reason, ...rest }) => ({ ...rest, reason: reason ?? undefined }),
    );
  }

  get(id: string): Notice | undefined {
    return this.#select('id = ?', [Number(id) || 0])[0];
  }

  list({
    limit,
    after = 0,
    ...filter
  }: NotificationFilter & { limit: number; after?: number | undefined }): Notice[] {
    const { where, values } = conditionOf(filter);
    return this.#select(`id > ? AND ${where} ORDER BY id LIMIT ?`, [after, ...values, limit]);
  }

  /** Has those in the quarantine that match, and whose channel is one of these, wait again; returns how many. */
  requeue(
    filter: NotificationFilter & { id?: string | undefined },
    { channels, nowNs, expiresNs }: { channels: readonly string[]; nowNs: bigint; expiresNs: bigint },
  ): number {
    const { where, values } = conditionOf({ ...filter, state: 'quarantined' });
    const { changes } = this.#db
      .prepare(
        `UPDATE notifications SET reason = NULL, attempts = 0, next_ns = ?, expires_ns = ?
         WHERE ${where} AND channel IN (SELECT value FROM json_each(?))`,
      )
      .run(nowNs, expiresNs, ...values, JSON.stringify(channels));
    return Number(changes);
  }

  /** Removes those in the quarantine that match; returns how many. */
  discard(filter: NotificationFilter & { id?: string | undefined }): number {
    const { where, values } = conditionOf({ ...filter, state: 'quarantined' });
    const { changes } = this.#db.prepare(`DELETE FROM notifications WHERE ${where}`).run(...values);
    return Number(changes);
  }

  #select(where: string, values: readonly (string | number)[]): Waiting[] {
    const statement = this.#db.prepare(`SELECT * FROM notifications WHERE ${where}`);
    statement.setReadBigInts(true);
    return (statement.all(...values) as unknown as Row[]).map(toNotice);
  }
}

function conditionOf({ id, state, channel, reason }: NotificationFilter & { id?: string | undefined }): {
  where: string;
  values: (string | number)[];
} {
  const conditions = ['1'];
  const values: (string | number)[] = [];
  if (state !== undefined) conditions.push(state === 'waiting' ? 'reason IS NULL' : 'reason IS NOT NULL');
  for (const [column, value] of [
    ['id', id === undefined ? undefined : Number(id) || 0],
    ['channel', channel],
    ['reason', reason],
  ] as const) {
    if (value === undefined) continue;
    conditions.push(`${column} = ?`);
    values.push(value);
  }
  return { where: conditions.join(' AND '), values };
}

function toNotice(row: Row): Waiting {
  return {
    id: String(row.id),
    key: row.key,
    channel: row.channel,
    content: JSON.parse(row.content) as NotificationContent,
    attempts: Number(row.attempts),
    createdNs: row.created_ns,
    expiresNs: row.expires_ns,
    nextNs: row.next_ns,
    reason: row.reason ?? undefined,
    detail: row.detail ?? undefined,
  };
}
