import type { Incident, IncidentSink } from '@tidemark/core';
import { inTransaction, type MetaDb } from '@tidemark/store';

interface Row {
  id: string;
  kind: Incident['kind'];
  subject: string;
  state: Incident['state'];
  message: string;
  time_ns: bigint;
}

/**
 * Incidents on their way to people, in meta.db: those that are open, and those that ended and were not told.
 * One that was told is not told again by a restart; one that a crash left between the two writes is.
 */
export class IncidentOutbox {
  readonly #db: MetaDb;
  readonly #sink: IncidentSink;

  constructor({ db, sink }: { db: MetaDb; sink: IncidentSink }) {
    this.#db = db;
    this.#sink = sink;
  }

  /** Subjects of the open incidents of a kind. */
  open(kind: Incident['kind']): string[] {
    const rows = this.#db
      .prepare("SELECT subject FROM incidents WHERE kind = ? AND state = 'open'")
      .all(kind);
    return (rows as { subject: string }[]).map(({ subject }) => subject);
  }

  /** Makes incidents durable, then tells them. */
  tell(incidents: readonly Incident[]): void {
    const save = this.#db.prepare(
      `INSERT OR REPLACE INTO incidents (id, kind, subject, state, message, time_ns, is_told)
       VALUES (?, ?, ?, ?, ?, ?, 0)`,
    );
    inTransaction(this.#db, () => {
      for (const { id, kind, subject, state, message, timeNs } of incidents)
        save.run(id, kind, subject, state, message, timeNs);
    });
    this.tellUntold();
  }

  /** Tells what was saved and, as far as is known, not told. */
  tellUntold(): void {
    const statement = this.#db.prepare(
      'SELECT id, kind, subject, state, message, time_ns FROM incidents WHERE is_told = 0 ORDER BY time_ns',
    );
    statement.setReadBigInts(true);
    const rows = statement.all() as unknown as Row[];
    if (rows.length === 0) return;
    for (const { time_ns: timeNs, ...incident } of rows) this.#sink.tell({ ...incident, timeNs });
    inTransaction(this.#db, () => {
      this.#db.exec("DELETE FROM incidents WHERE is_told = 0 AND state = 'recovered'");
      this.#db.exec('UPDATE incidents SET is_told = 1 WHERE is_told = 0');
    });
  }
}
