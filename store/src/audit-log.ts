import type { Audit, AuditEntry, Cause, Clock } from '@tidemark/core';
import type { MetaDb } from './meta-db.ts';

interface AuditLogParts {
  db: MetaDb;
  clock: Clock;
  /** Beyond it the oldest go. */
  maxEntries: number;
}

/** What is about to be done, in the words of the log. */
interface Deed {
  action: string;
  target: AuditEntry['target'];
  cause: Cause;
}

interface Row {
  id: number;
  time_ns: bigint;
  actor: string;
  action: string;
  target: string;
  counts: string;
  note: string | null;
}

/**
 * Who changed or removed what, and why, in `meta.db`. Called within the transaction of the change itself, so that
 * neither is there without the other; what cannot be in one transaction, such as a change of the store, is begun
 * before it and counted after it.
 */
export class AuditLog implements Audit {
  readonly #parts: AuditLogParts;

  constructor(parts: AuditLogParts) {
    this.#parts = parts;
  }

  /** Writes a line without counts yet; returns its id. */
  begin({ action, target, cause: { actor, note } }: Deed): string {
    const { db, clock, maxEntries } = this.#parts;
    const { lastInsertRowid } = db
      .prepare('INSERT INTO audit (time_ns, actor, action, target, counts, note) VALUES (?, ?, ?, ?, ?, ?)')
      .run(clock.nowNs(), actor, action, JSON.stringify(target), '{}', note ?? null);
    db.prepare('DELETE FROM audit WHERE id <= ?').run(Number(lastInsertRowid) - maxEntries);
    return String(lastInsertRowid);
  }

  /** Says what came of it so far. */
  count(id: string, counts: Record<string, number | undefined>): void {
    this.#parts.db
      .prepare('UPDATE audit SET counts = ? WHERE id = ?')
      .run(JSON.stringify(counts), Number(id));
  }

  list({ action, limit, before }: Parameters<Audit['list']>[0]): AuditEntry[] {
    const statement = this.#parts.db.prepare(
      `SELECT * FROM audit WHERE id < ? ${action === undefined ? '' : 'AND action = ?'} ORDER BY id DESC LIMIT ?`,
    );
    statement.setReadBigInts(true);
    const beforeId = before === undefined ? Number.MAX_SAFE_INTEGER : Number(before);
    const rows = statement.all(...[beforeId, ...(action === undefined ? [] : [action]), limit]);
    return (rows as unknown as Row[]).map(toEntry);
  }
}

function toEntry({ id, time_ns, actor, action, target, counts, note }: Row): AuditEntry {
  return {
    id: String(id),
    timeNs: time_ns,
    actor,
    action,
    target: JSON.parse(target) as AuditEntry['target'],
    counts: JSON.parse(counts) as AuditEntry['counts'],
    note: note ?? undefined,
  };
}
