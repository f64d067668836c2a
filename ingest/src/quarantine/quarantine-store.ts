import type {
  Quarantine,
  QuarantineFilter,
  QuarantineItem,
  QuarantineListener,
  QuarantineReason,
} from '@tidemark/core';
import type { MetaDb } from '@tidemark/store';
import type { RefusedPart } from './refusal.ts';

/** The newest that are kept; beyond either bound the oldest go, counted. */
interface QuarantineBounds {
  maxItems: number;
  maxBytes: number;
}

const defaultBounds: QuarantineBounds = { maxItems: 100_000, maxBytes: 1024 * 1024 * 1024 };

/** One refusal and its place in the log, which is its identity. */
export interface PlacedRefusal {
  /** Log offset of the entry it was found in. */
  offset: number;
  /** 0 for a refusal that is an entry itself; for a point of an entry, its position there from 1. */
  item: number;
  part: RefusedPart;
}

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
  readonly #bounds: QuarantineBounds;
  readonly #listeners = new Set<QuarantineListener>();
  #items: number;
  #bytes: number;

  constructor(db: MetaDb, bounds: QuarantineBounds = defaultBounds) {
    this.#db = db;
    this.#bounds = bounds;
    const held = db
      .prepare('SELECT count(*) AS items, total(length(payload)) AS bytes FROM quarantine')
      .get() as { items: number; bytes: number };
    this.#items = held.items;
    this.#bytes = held.bytes;
  }

  /** A log offset behind every refusal that is known; 0 when there is none. */
  get behindNewest(): number {
    const { newest } = this.#db.prepare('SELECT max(spool_offset) AS newest FROM quarantine').get() as {
      newest: number | null;
    };
    return newest === null ? 0 : newest + 1;
  }

  /**
   * Adds refusals; one whose place is taken is left alone, so that a replay after a crash adds nothing.
   * Returns how many of the oldest had to go. What it adds is on stable storage when it returns.
   */
  add(refusals: readonly PlacedRefusal[]): number {
    const before = { items: this.#items, bytes: this.#bytes };
    this.#db.exec('BEGIN IMMEDIATE');
    let added: QuarantineItem[];
    let evicted: number;
    try {
      added = this.#insert(refusals);
      evicted = this.#evict();
      this.#db.exec('COMMIT');
    } catch (error) {
      this.#items = before.items;
      this.#bytes = before.bytes;
      // A full disk may have ended the transaction already.
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw error;
    }
    if (added.length > 0) for (const listener of this.#listeners) listener(added);
    return evicted;
  }

  watch(listener: QuarantineListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
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

  #insert(refusals: readonly PlacedRefusal[]): QuarantineItem[] {
    const insert = this.#db.prepare(
      `INSERT OR IGNORE INTO quarantine (spool_offset, item, time_ns, source, topic, reason, detail, payload, sensor)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    const added: QuarantineItem[] = [];
    for (const { offset, item, part } of refusals) {
      const { timeNs, source, topic, reason, detail, payload, sensor } = part;
      const values = [offset, item, timeNs, source, topic, reason, detail, payload, sensor ?? null];
      const { changes, lastInsertRowid } = insert.run(...values);
      if (changes === 0) continue;
      this.#items++;
      this.#bytes += payload.length;
      added.push({ ...part, sensor, id: String(lastInsertRowid) });
    }
    return added;
  }

  #evict(): number {
    const { maxItems, maxBytes } = this.#bounds;
    const dropOldest = this.#db.prepare(
      'DELETE FROM quarantine WHERE id = (SELECT min(id) FROM quarantine) RETURNING length(payload) AS bytes',
    );
    let evicted = 0;
    for (; this.#items > maxItems || (this.#bytes > maxBytes && this.#items > 1); evicted++) {
      const { bytes } = dropOldest.get() as { bytes: number };
      this.#items--;
      this.#bytes -= bytes;
    }
    return evicted;
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
