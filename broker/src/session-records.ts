import type { Clock } from '@tidemark/core';
import type { ClassicLevel } from 'classic-level';
import type { GroupWriter } from './group-writer.ts';
import { upTo } from './session-queue.ts';

const prefix = 'session:';
/** A wall clock that moved this far against the monotonic one was set. */
const LEAST_STEP_MS = 500;

interface SessionRecord {
  expirySeconds: number;
  /** When the session ends, by the wall clock, while its client is away. */
  endsAtMs: number | undefined;
}

/**
 * Which sessions outlive their connections, and until when: kept in the database, so that a restart ends none. While
 * the process runs their time goes by the monotonic clock; only what the next process reads is wall time.
 */
export class SessionRecords {
  readonly #writer: GroupWriter;
  readonly #clock: Clock;
  readonly #records = new Map<string, SessionRecord>();
  /** Those whose clients are away, the longest first, and when they end by the monotonic clock. */
  readonly #away = new Map<string, number>();
  /** The wall clock less the monotonic one, as the times in the database go by. */
  #offsetMs: number;

  constructor(writer: GroupWriter, clock: Clock) {
    this.#writer = writer;
    this.#clock = clock;
    this.#offsetMs = this.#readOffset();
  }

  get awayCount(): number {
    return this.#away.size;
  }

  /**
   * Reads what a broker before this one left; clients that were connected to it are away from now on. Where the
   * clock went back meanwhile, no session gets more time than its client asked for.
   */
  async load(db: ClassicLevel<string, unknown>): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    for await (const [key, value] of db.iterator({ gte: prefix, lt: upTo(prefix), valueEncoding: 'utf8' })) {
      const clientId = decodeURIComponent(key.slice(prefix.length));
      const { expirySeconds, endsAtMs } = JSON.parse(String(value)) as SessionRecord;
      this.#records.set(clientId, { expirySeconds, endsAtMs });
      if (endsAtMs === undefined) continue;
      this.#away.set(clientId, Math.min(endsAtMs - this.#offsetMs, nowMs + expirySeconds * 1000));
    }
    for (const [clientId, { endsAtMs }] of this.#records) if (endsAtMs === undefined) this.left(clientId);
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
  left(clientId: string, expirySeconds?: number): void {
    const record = this.#records.get(clientId);
    if (record === undefined) return;
    const seconds = expirySeconds ?? record.expirySeconds;
    const endsAtMs = this.#clock.monotonicMs() + seconds * 1000;
    this.#away.delete(clientId);
    this.#away.set(clientId, endsAtMs);
    this.#save(clientId, { expirySeconds: seconds, endsAtMs: endsAtMs + this.#offsetMs });
  }

  /** To be called now and then: when the wall clock was set, the times in the database are set with it. */
  followClock(): void {
    const offsetMs = this.#readOffset();
    if (Math.abs(offsetMs - this.#offsetMs) < LEAST_STEP_MS) return;
    this.#offsetMs = offsetMs;
    for (const [clientId, endsAtMs] of this.#away) {
      const { expirySeconds } = this.#records.get(clientId)!;
      this.#save(clientId, { expirySeconds, endsAtMs: endsAtMs + offsetMs });
    }
  }

  delete(clientId: string): void {
    this.#away.delete(clientId);
    if (!this.#records.delete(clientId)) return;
    void this.#writer.write({ type: 'del', key: keyOf(clientId) });
  }

  /** Sessions whose time is over. */
  expired(): string[] {
    const nowMs = this.#clock.monotonicMs();
    return [...this.#away].filter(([, endsAtMs]) => endsAtMs <= nowMs).map(([clientId]) => clientId);
  }

  isExpired(clientId: string): boolean {
    const endsAtMs = this.#away.get(clientId);
    return endsAtMs !== undefined && endsAtMs <= this.#clock.monotonicMs();
  }

  /** The one whose client has been away longest. */
  longestAway(): string | undefined {
    return this.#away.keys().next().value;
  }

  #readOffset(): number {
    return Number(this.#clock.nowNs() / 1_000_000n) - this.#clock.monotonicMs();
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
