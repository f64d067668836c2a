import type { MetaDb } from '@tidemark/store';

/** What is kept of a service that sends heartbeats. */
interface KeptService {
  service: string;
  timeoutMs: number;
  isUp: boolean;
  sinceNs: bigint;
  lastSeenNs: bigint;
}

/** The services that send heartbeats, in meta.db: one that is silent after a restart is missed as well. */
export class KnownServices {
  readonly #db: MetaDb;

  constructor(db: MetaDb) {
    this.#db = db;
  }

  load(): KeptService[] {
    const statement = this.#db.prepare('SELECT * FROM services ORDER BY name');
    statement.setReadBigInts(true);
    return statement.all().map((row) => ({
      service: String(row.name),
      timeoutMs: Number(row.timeout_ms),
      isUp: row.is_up === 1n,
      sinceNs: row.since_ns as bigint,
      lastSeenNs: row.last_seen_ns as bigint,
    }));
  }

  save({ service, timeoutMs, isUp, sinceNs, lastSeenNs }: KeptService): void {
    this.#db
      .prepare(
        `INSERT OR REPLACE INTO services (name, timeout_ms, is_up, since_ns, last_seen_ns) VALUES (?, ?, ?, ?, ?)`,
      )
      .run(service, timeoutMs, Number(isUp), sinceNs, lastSeenNs);
  }

  remove(service: string): void {
    this.#db.prepare('DELETE FROM services WHERE name = ?').run(service);
  }
}
