import type { AlertFilter, AlertState, AlertTransition, Severity } from '@tidemark/core';
import type { MetaDb } from '@tidemark/store';

/** A transition before it has its number. */
export type NewTransition = Omit<AlertTransition, 'number' | 'state'> & {
  /** `removed`: its rule is gone, and what was retained of it goes too; told by MQTT alone. */
  state: AlertState | 'removed';
};

interface Row {
  number: bigint;
  key: string;
  rule: string;
  sensor: string;
  metric: string | null;
  state: AlertState | 'removed';
  value: number | null;
  since_ns: bigint;
  time_ns: bigint;
  recorded_ns: bigint;
  severity: Severity;
  message: string;
  actor: string | null;
  comment: string | null;
  is_current: bigint;
  notifies: bigint;
  notify: string;
}

/**
 * Every change of an alert's state, in order, in meta.db: the history, and the outbox from which those who tell it
 * go on behind what they have told. Bounded: beyond `maxTransitions` the oldest go.
 */
export class Transitions {
  readonly #db: MetaDb;
  readonly #maxTransitions: number;
  readonly #waiters = new Set<() => void>();

  constructor({ db, maxTransitions }: { db: MetaDb; maxTransitions: number }) {
    this.#db = db;
    this.#maxTransitions = maxTransitions;
  }

  get newest(): number {
    const row = this.#db.prepare('SELECT max(number) AS newest FROM alert_transitions').get();
    return (row as { newest: number | null }).newest ?? 0;
  }

  /**
   * Adds within the transaction of its caller, who calls `wake` behind it. One whose key is there is left out; returns
   * those that were not, without those of state `removed`.
   */
  add(transitions: readonly NewTransition[]): Omit<AlertTransition, 'number'>[] {
    if (transitions.length === 0) return [];
    const insert = this.#db.prepare(
      `INSERT OR IGNORE INTO alert_transitions (key, rule, sensor, metric, state, value, since_ns, time_ns, recorded_ns,
         severity, message, actor, comment, is_current, notifies, notify)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    const added = transitions.filter((one) => {
      const { changes } = insert.run(
        one.key,
        one.rule,
        one.sensor,
        one.metric ?? null,
        one.state,
        one.value ?? null,
        one.sinceNs,
        one.timeNs,
        one.recordedNs,
        one.severity,
        one.message,
        one.actor ?? null,
        one.comment ?? null,
        Number(one.isCurrent),
        Number(one.notifies),
        JSON.stringify(one.notify),
      );
      return changes === 1 && one.state !== 'removed';
    });
    this.#db
      .prepare('DELETE FROM alert_transitions WHERE number <= ?')
      .run(Math.max(0, this.newest - this.#maxTransitions));
    return added as Omit<AlertTransition, 'number'>[];
  }

  /** Tells those who wait that there is more. */
  wake(): void {
    for (const wake of this.#waiters) wake();
  }

  async waitBeyond(after: number, signal: AbortSignal): Promise<void> {
    while (this.newest <= after && !signal.aborted) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const wake = (): void => resolve();
      this.#waiters.add(wake);
      signal.addEventListener('abort', wake);
      await promise;
      this.#waiters.delete(wake);
      signal.removeEventListener('abort', wake);
    }
  }

  /** Oldest first; those of state `removed` too. */
  after(number: number, limit: number): (NewTransition & { number: number })[] {
    return this.#select('number > ? ORDER BY number LIMIT ?', [number, limit]);
  }

  /** Oldest first, without those of state `removed`. */
  toldAfter(number: number, limit: number): AlertTransition[] {
    const found = this.#select("number > ? AND state <> 'removed' ORDER BY number LIMIT ?", [number, limit]);
    return found as AlertTransition[];
  }

  /** Newest first. */
  history({
    rules,
    sensors,
    states,
    limit,
    before = Number.MAX_SAFE_INTEGER,
  }: AlertFilter & { limit: number; before?: number | undefined }): AlertTransition[] {
    const conditions = ["number < ? AND state <> 'removed'"];
    const values: (number | string)[] = [before];
    for (const [column, wanted] of [
      ['rule', rules],
      ['sensor', sensors],
      ['state', states],
    ] as const) {
      if (wanted === undefined || wanted.length === 0) continue;
      conditions.push(`${column} IN (SELECT value FROM json_each(?))`);
      values.push(JSON.stringify(wanted));
    }
    const found = this.#select(`${conditions.join(' AND ')} ORDER BY number DESC LIMIT ?`, [
      ...values,
      limit,
    ]);
    return found as AlertTransition[];
  }

  /** How far the reader of that name has told; undefined when it has told nothing yet. */
  told(reader: string): number | undefined {
    const row = this.#db.prepare('SELECT number FROM alert_readers WHERE name = ?').get(reader);
    return (row as { number: number } | undefined)?.number;
  }

  setTold(reader: string, number: number): void {
    this.#db.prepare('INSERT OR REPLACE INTO alert_readers (name, number) VALUES (?, ?)').run(reader, number);
  }

  #select(where: string, values: readonly (number | string)[]): (NewTransition & { number: number })[] {
    const statement = this.#db.prepare(`SELECT * FROM alert_transitions WHERE ${where}`);
    statement.setReadBigInts(true);
    return (statement.all(...values) as unknown as Row[]).map(toTransition);
  }
}

function toTransition(row: Row): NewTransition & { number: number } {
  return {
    number: Number(row.number),
    key: row.key,
    alert: `${row.rule}:${row.sensor}`,
    rule: row.rule,
    sensor: row.sensor,
    metric: row.metric ?? undefined,
    state: row.state,
    value: row.value ?? undefined,
    sinceNs: row.since_ns,
    timeNs: row.time_ns,
    recordedNs: row.recorded_ns,
    severity: row.severity,
    message: row.message,
    actor: row.actor ?? undefined,
    comment: row.comment ?? undefined,
    isCurrent: row.is_current === 1n,
    notifies: row.notifies === 1n,
    notify: JSON.parse(row.notify) as string[],
  };
}
