import {
  type Clock,
  type Quarantine,
  type QuarantineBound,
  type QuarantineItem,
  type QuarantineListener,
  type QuarantineReason,
  type QuarantineSummary,
  quarantineBounds,
} from '@tidemark/core';
import { inTransaction, type MetaDb } from '@tidemark/store';
import type { RefusedPart } from './refusal.ts';
import { type Selection, toSql } from './selection.ts';
import { type Counted, Tally } from './tally.ts';

/** Items dropped for their age in one go: the rest goes with the next. */
const MAX_AGED_AT_ONCE = 1000;

interface QuarantineStoreOptions {
  db: MetaDb;
  clock: Clock;
  /** Beyond any bound the oldest go, counted. */
  maxItems: number;
  maxBytes: number;
  /** 0: no such bound. */
  maxAgeMs: number;
}

/** Who refused: the acceptor, whose refusals are in the log, or the store, which got its points from there. */
export type RefusalStream = 'log' | 'store';

/** One refusal and its place in the log. */
export interface PlacedRefusal {
  /** Log offset of the entry it was found in. */
  offset: number;
  part: RefusedPart;
}

interface Row {
  id: bigint;
  time_ns: bigint;
  source: string;
  topic: string;
  reason: string;
  detail: string;
  payload: Uint8Array;
  sensor: string | null;
}

const columns = 'id, time_ns, source, topic, reason, detail, sensor, payload';

/** The quarantine's index in meta.db: what was refused, newest first. */
export class QuarantineStore implements Quarantine {
  readonly #options: QuarantineStoreOptions;
  readonly #listeners = new Set<QuarantineListener>();
  readonly #evicted: Record<QuarantineBound, number> = { items: 0, bytes: 0, age: 0 };
  readonly #tally: Tally;
  /** What the running transaction has counted, to be undone if it fails. */
  #counted: [what: Counted, by: 1 | -1][] = [];

  constructor(options: QuarantineStoreOptions) {
    this.#options = options;
    const { db } = options;
    this.#tally = new Tally(db);
    const evicted = db.prepare('SELECT bound, items FROM quarantine_evicted').all();
    for (const { bound, items } of evicted as { bound: QuarantineBound; items: number }[])
      this.#evicted[bound] = items;
  }

  /** A log offset behind every refusal that was ever taken; 0 when there was none. */
  get behindNewest(): number {
    return Math.max(this.#takenFrom('log'), this.#takenFrom('store')) + 1;
  }

  /** Items dropped for each bound, ever. */
  get evicted(): Readonly<Record<QuarantineBound, number>> {
    return this.#evicted;
  }

  /**
   * Adds refusals of a stream, which come in the order of the log. Those at or before what was taken from it are
   * left alone, so that a repetition after a crash adds nothing, and brings back nothing that was replayed or
   * discarded. What it adds is on stable storage when it returns.
   */
  add(stream: RefusalStream, refusals: readonly PlacedRefusal[]): void {
    const added = this.change(() => {
      const items = this.#insert(stream, refusals);
      this.#evict();
      return items;
    });
    if (added.length > 0) for (const listener of this.#listeners) listener(added);
  }

  /** Drops what is past the bounds; age alone makes it so without anything being added. */
  evict(): void {
    this.change(() => this.#evict());
  }

  /** Runs `work` as one transaction, durable when it returns; when it throws, nothing of it has happened. */
  change<T>(work: () => T): T {
    const evictedBefore = { ...this.#evicted };
    this.#counted = [];
    try {
      return inTransaction(this.#options.db, work);
    } catch (error) {
      for (const [what, by] of this.#counted) this.#tally.count(what, by === 1 ? -1 : 1);
      Object.assign(this.#evicted, evictedBefore);
      throw error;
    }
  }

  watch(listener: QuarantineListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  list({ limit, ...selection }: Selection & { limit: number }): QuarantineItem[] {
    const { from, values } = toSql(selection);
    const sql = `SELECT ${columns} ${from} ORDER BY time_ns DESC, id DESC LIMIT ?`;
    return this.#rows(sql, ...values, limit).map(toItem);
  }

  /** Oldest first, up to `limit` items or `maxBytes` of payload, but at least one where there is one. */
  oldest({
    limit,
    maxBytes,
    ...selection
  }: Selection & { limit: number; maxBytes: number }): QuarantineItem[] {
    const { from, values } = toSql(selection);
    const statement = this.#options.db.prepare(`SELECT ${columns} ${from} ORDER BY time_ns, id LIMIT ?`);
    statement.setReadBigInts(true);
    const items: QuarantineItem[] = [];
    let bytes = 0;
    for (const row of statement.iterate(...values, limit)) {
      const item = toItem(row as unknown as Row);
      bytes += item.payload.length;
      if (items.length > 0 && bytes > maxBytes) break;
      items.push(item);
    }
    return items;
  }

  get(id: string): QuarantineItem | undefined {
    if (!/^\d{1,15}$/.test(id)) return undefined;
    const [row] = this.#rows(`SELECT ${columns} FROM quarantine WHERE id = ?`, Number(id));
    return row && toItem(row);
  }

  count(): number {
    return this.#tally.items;
  }

  /** How many items match. */
  countOf(selection: Selection): number {
    const { from, values } = toSql(selection);
    return (this.#options.db.prepare(`SELECT count(*) AS n ${from}`).get(...values) as { n: number }).n;
  }

  /** The id of the item added last; undefined when there is none. */
  get newestId(): string | undefined {
    const { id } = this.#options.db.prepare('SELECT max(id) AS id FROM quarantine').get() as {
      id: number | null;
    };
    return id === null ? undefined : String(id);
  }

  summary(filter: Parameters<Quarantine['summary']>[0]): QuarantineSummary {
    return { ...this.#tally.summary(filter), evicted: { ...this.#evicted } };
  }

  /** Within `change`: removes an item; false when it is gone already. */
  remove(id: string): boolean {
    return this.#delete('id = ?', [Number(id)]) > 0;
  }

  /** Within `change`: removes up to `limit` items that match; answers how many. */
  removeMatching({ limit, ...selection }: Selection & { limit: number }): number {
    const { from, values } = toSql(selection);
    return this.#delete(`id IN (SELECT id ${from} LIMIT ?)`, [...values, limit]);
  }

  /**
   * Within `change`: gives an item the reason it was refused for again. One message refused for several reasons is
   * several items: of two that this makes the same, one goes.
   */
  refuseAgain(item: QuarantineItem, reason: QuarantineReason, detail: string): void {
    const { id, payload } = item;
    const { changes } = this.#options.db
      .prepare('UPDATE quarantine SET reason = ?, detail = ? WHERE id = ? AND reason = ?')
      .run(reason, detail, Number(id), item.reason);
    // Somebody else was faster.
    if (changes === 0) return;
    this.#count({ ...item, bytes: payload.length }, -1);
    this.#count({ ...item, reason, bytes: payload.length }, 1);
    const twin =
      'id = ? AND EXISTS (SELECT 1 FROM quarantine AS twin INDEXED BY quarantine_by_time ' +
      'WHERE twin.time_ns = quarantine.time_ns AND twin.reason = quarantine.reason ' +
      'AND twin.topic = quarantine.topic AND twin.payload = quarantine.payload AND twin.id <> quarantine.id)';
    this.#delete(twin, [Number(id)]);
  }

  #insert(stream: RefusalStream, refusals: readonly PlacedRefusal[]): QuarantineItem[] {
    const { db } = this.#options;
    const taken = this.#takenFrom(stream);
    const fresh = refusals.filter(({ offset }) => offset > taken);
    const insert = db.prepare(
      `INSERT INTO quarantine (time_ns, source, topic, reason, detail, sensor, payload)
       VALUES (?, ?, ?, ?, ?, ?, ?)`,
    );
    const added = fresh.map(({ part }) => {
      const { timeNs, source, topic, reason, detail, payload, sensor } = part;
      const { lastInsertRowid } = insert.run(timeNs, source, topic, reason, detail, sensor ?? null, payload);
      this.#count({ reason, source, sensor, bytes: payload.length }, 1);
      return { ...part, sensor, id: String(lastInsertRowid) };
    });
    const newest = fresh.reduce((most, { offset }) => Math.max(most, offset), taken);
    if (newest > taken)
      db.prepare('INSERT OR REPLACE INTO quarantine_taken (stream, spool_offset) VALUES (?, ?)').run(
        stream,
        newest,
      );
    return added;
  }

  /** The newest log offset whose refusals were taken; -1 when there is none. */
  #takenFrom(stream: RefusalStream): number {
    const row = this.#options.db
      .prepare('SELECT spool_offset FROM quarantine_taken WHERE stream = ?')
      .get(stream) as { spool_offset: number } | undefined;
    return row?.spool_offset ?? -1;
  }

  #evict(): void {
    const { db, clock, maxItems, maxBytes, maxAgeMs } = this.#options;
    const before = { ...this.#evicted };
    const oldest = 'SELECT id FROM quarantine INDEXED BY quarantine_by_time ORDER BY time_ns, id LIMIT 1';
    while (this.#tally.items > maxItems) this.#evicted.items += this.#delete(`id = (${oldest})`, []);
    while (this.#tally.bytes > maxBytes && this.#tally.items > 1)
      this.#evicted.bytes += this.#delete(`id = (${oldest})`, []);
    if (maxAgeMs > 0) {
      const toNs = clock.nowNs() - BigInt(maxAgeMs) * 1_000_000n;
      this.#evicted.age += this.removeMatching({ toNs, limit: MAX_AGED_AT_ONCE });
    }
    for (const bound of quarantineBounds)
      if (this.#evicted[bound] > before[bound])
        db.prepare('INSERT OR REPLACE INTO quarantine_evicted (bound, items) VALUES (?, ?)').run(
          bound,
          this.#evicted[bound],
        );
  }

  #delete(where: string, values: (string | number | bigint)[]): number {
    const removed = this.#options.db
      .prepare(
        `DELETE FROM quarantine WHERE ${where} RETURNING reason, source, sensor, length(payload) AS bytes`,
      )
      .all(...values) as unknown as (Counted & { sensor: string | null })[];
    for (const { sensor, ...rest } of removed) this.#count({ ...rest, sensor: sensor ?? undefined }, -1);
    return removed.length;
  }

  #count(what: Counted, by: 1 | -1): void {
    this.#tally.count(what, by);
    this.#counted.push([what, by]);
  }

  #rows(sql: string, ...values: (string | number | bigint)[]): Row[] {
    const statement = this.#options.db.prepare(sql);
    statement.setReadBigInts(true);
    return statement.all(...values) as unknown as Row[];
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
