import type { ClassicLevel } from 'classic-level';
import type { GroupWriter } from './group-writer.ts';
import { upTo } from './session-queue.ts';

const prefix = 'session:';

interface SessionRecord {
  expirySeconds: number;
  /** When the session ends, while its client is away. */
  endsAtMs: number | undefined;
}

/** Which sessions outlive their connections, and until when: kept in the database, so that a restart ends none. */
export class SessionRecords {
  readonly #writer: GroupWriter;
  readonly #records = new Map<string, SessionRecord>();
  /** Those whose clients are away, the longest first, and when they end. */
  readonly #away = new Map<string, number>();

  constructor(writer: GroupWriter) {
    this.#writer = writer;
  }

  get awayCount(): number {
    return this.#away.size;
  }

  /** Reads what a broker before this one left; clients that were connected to it are away from now on. */
  async load(db: ClassicLevel<string, unknown>, nowMs: number): Promise<void> {
    for await (const [key, value] of db.iterator({ gte: prefix, lt: upTo(prefix), valueEncoding: 'utf8' })) {
      const clientId = decodeURIComponent(key.slice(prefix.length));
      const { expirySeconds, endsAtMs } = JSON.parse(String(value)) as SessionRecord;
      this.#records.set(clientId, { expirySeconds, endsAtMs });
      if (endsAtMs !== undefined) this.#away.set(clientId, endsAtMs);
    }
    for (const [clientId, { endsAtMs }] of this.#records)
      if (endsAtMs === undefined) this.left(clientId, nowMs);
  }

  has(clientId: string): boolean {
    return this.#records.has(clientId);
  }

  /** A client with a session to be kept has connected. */
  arrived(clientId: string, expirySeconds: number): void {
    const before = this.#records.get(clientId);
    this.#away.delete(clientId);
    if (before?.endsAtMs === undefined && before?.expirySeconds === expirySeconds) return;
    this.#save(clientId, { expirySeconds, endsAtMs: undefined });
  }

  /** It has gone; from now on its session has a limited time. */
  left(clientId: string, nowMs: number, expirySeconds?: number): void {
    const record = this.#records.get(clientId);
    if (record === undefined) return;
    const seconds = expirySeconds ?? record.expirySeconds;
    const endsAtMs = nowMs + seconds * 1000;
    this.#away.delete(clientId);
    this.#away.set(clientId, endsAtMs);
    this.#save(clientId, { expirySeconds: seconds, endsAtMs });
  }

  delete(clientId: string): void {
    this.#away.delete(clientId);
    if (!this.#records.delete(clientId)) return;
    void this.#writer.write({ type: 'del', key: keyOf(clientId) });
  }

  /** Sessions whose time is over. */
  expired(nowMs: number): string[] {
    return [...this.#away].filter(([, endsAtMs]) => endsAtMs <= nowMs).map(([clientId]) => clientId);
  }

  isExpired(clientId: string, nowMs: number): boolean {
    const endsAtMs = this.#away.get(clientId);
    return endsAtMs !== undefined && endsAtMs <= nowMs;
  }

  /** The one whose client has been away longest. */
  longestAway(): string | undefined {
    return this.#away.keys().next().value;
  }

  #save(clientId: string, record: SessionRecord): void {
    this.#records.set(clientId, record);
    const value = Buffer.from(JSON.stringify(record));
    void this.#writer.write({ type: 'put', key: keyOf(clientId), value });
  }
}

function keyOf(clientId: string): string {
  return `${prefix}${encodeURIComponent(clientId)}`;
}
