import type { Quarantine, QuarantineFilter, QuarantineItem, QuarantineReason } from '@tidemark/core';
import type { MetaDb } from '@tidemark/store';
import type { RefusedPart } from './refusal.ts';

/** Newest items kept; beyond it the oldest go, counted. */
const MAX_ITEMS = 100_000;

interface Row {
  id: number;
  time_ns: bigint;
  source: string;
  topic: string;
  reason: string;
  detail: string;
  payload: Uint8Array;
  sensor: string | null;
}

const columns = 'id, time_ns, source, topic, reason, detail, payload, sensor';

/** The quarantine's index in meta.db: what was refused, newest first. */
export class QuarantineStore implements Quarantine {
  readonly #db: MetaDb;
  #items: number;

  constructor(db: MetaDb) {
    this.#db = db;
    this.#items = Number(
      (db.prepare('SELECT count(*) AS items FROM quarantine').get() as { items: number }).items,
    );
  }

  /**
   * Adds refusals by the log offset they were found at; one that is there already is left alone, so that a
   * replay after a crash adds nothing. Returns how many of the oldest had to go.
   */
  add(parts: readonly { offset: number; part: RefusedPart }[]): number {
    const insert = this.#db.prepare(
      `INSERT OR IGNORE INTO quarantine (spool_offset, item, time_ns, source, topic, reason, detail, payload, sensor)
       VALUES (?, 0, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      for (const { offset, part } of parts) {
        const { timeNs, source, topic, reason, detail, payload, sensor } = part;
        const { changes } = insert.run(
          offset,
          timeNs,
          source,
          topic,
          reason,
          detail,
          payload,
          sensor ?? null,
        );
        this.#items += Number(changes);
      }
      const evicted = this.#evict();
      this.#db.exec('COMMIT');
      return evicted;
    } catch (error) {
      this.#db.exec('ROLLBACK');
      throw error;
    }
  }

  list({ reason, sensor, fromNs, toNs, limit, before }: QuarantineFilter): QuarantineItem[] {
    const statement = this.#db.prepare(
      `SELECT ${columns} FROM quarantine
       WHERE (?1 IS NULL OR reason = ?1) AND (?2 IS NULL OR sensor = ?2)
         AND (?3 IS NULL OR time_ns >= ?3) AND (?4 IS NULL OR time_ns < ?4) AND (?5 IS NULL OR id < ?5)
       ORDER BY id DESC LIMIT ?6`,
    );
    statement.setReadBigInts(true);
    const beforeId = before === undefined ? null : Number(before);
    const rows = statement.all(reason ?? null, sensor ?? null, fromNs ?? null, toNs ?? null, beforeId, limit);
    return (rows as unknown as Row[]).map(toItem);
  }

  get(id: string): QuarantineItem | undefined {
    if (!/^\d{1,15}$/.test(id)) return undefined;
    const statement = this.#db.prepare(`SELECT ${columns} FROM quarantine WHERE id = ?`);
    statement.setReadBigInts(true);
    const row = statement.get(Number(id)) as unknown as Row | undefined;
    return row && toItem(row);
  }

  count(): number {
    return this.#items;
  }

  #evict(): number {
    const excess = this.#items - MAX_ITEMS;
    if (excess <= 0) return 0;
    this.#db
      .prepare('DELETE FROM quarantine WHERE id IN (SELECT id FROM quarantine ORDER BY id LIMIT ?)')
      .run(excess);
    this.#items -= excess;
    return excess;
  }
}

function toItem(row: Row): QuarantineItem {
  return {
    id: String(row.id),
    timeNs: row.time_ns,
    source: row.source,
    topic: row.topic,
    reason: row.reason as QuarantineReason,
    detail: row.detail,
    payload: row.payload,
    sensor: row.sensor ?? undefined,
  };
}
