import {
  type Alert,
  type Clock,
  createPattern,
  type Severity,
  type Silence,
  TidemarkError,
} from '@tidemark/core';
import type { MetaDb } from '@tidemark/store';

/** Each is compared with each firing alert, once a second. */
const MAX_SILENCES = 1000;

interface Row {
  id: bigint;
  rule: string | null;
  sensor: string | null;
  severity: Severity | null;
  until_ns: bigint;
  created_ns: bigint;
  made_by: string;
  comment: string | null;
}

interface Kept {
  silence: Silence;
  matchesSensor: (sensor: string) => boolean;
}

/** Who is not to be told of what, until when; in memory and in meta.db. */
export class Silences {
  readonly #db: MetaDb;
  readonly #clock: Clock;
  #kept: Kept[] = [];

  constructor({ db, clock }: { db: MetaDb; clock: Clock }) {
    this.#db = db;
    this.#clock = clock;
  }

  start(): void {
    const statement = this.#db.prepare('SELECT * FROM alert_silences ORDER BY id');
    statement.setReadBigInts(true);
    this.#kept = (statement.all() as unknown as Row[]).map((row) => keep(toSilence(row)));
    this.#dropEnded();
  }

  /** Those that have not ended, oldest first. */
  list(): Silence[] {
    this.#dropEnded();
    return this.#kept.map(({ silence }) => silence);
  }

  add(wanted: Omit<Silence, 'id' | 'createdNs'>): Silence {
    this.#dropEnded();
    if (this.#kept.length >= MAX_SILENCES)
      throw new TidemarkError('conflict', `there are ${MAX_SILENCES} silences; end some first`);
    const createdNs = this.#clock.nowNs();
    const { rule, sensor, severity, untilNs, by, comment } = wanted;
    const { lastInsertRowid } = this.#db
      .prepare(
        `INSERT INTO alert_silences (rule, sensor, severity, until_ns, created_ns, made_by, comment)
         VALUES (?, ?, ?, ?, ?, ?, ?)`,
      )
      .run(rule ?? null, sensor ?? null, severity ?? null, untilNs, createdNs, by, comment ?? null);
    const silence = { ...wanted, id: String(lastInsertRowid), createdNs };
    this.#kept.push(keep(silence));
    return silence;
  }

  end(id: string): boolean {
    const index = this.#kept.findIndex(({ silence }) => silence.id === id);
    if (index === -1) return false;
    this.#db.prepare('DELETE FROM alert_silences WHERE id = ?').run(Number(id));
    this.#kept.splice(index, 1);
    return true;
  }

  /** Whether an alert is silenced now. */
  covers({ rule, sensor, severity }: Pick<Alert, 'rule' | 'sensor' | 'severity'>): boolean {
    if (this.#kept.length === 0) return false;
    const nowNs = this.#clock.nowNs();
    return this.#kept.some(
      ({ silence, matchesSensor }) =>
        silence.untilNs > nowNs &&
        (silence.rule === undefined || silence.rule === rule) &&
        (silence.severity === undefined || silence.severity === severity) &&
        matchesSensor(sensor),
    );
  }

  #dropEnded(): void {
    const nowNs = this.#clock.nowNs();
    if (this.#kept.every(({ silence }) => silence.untilNs > nowNs)) return;
    this.#db.prepare('DELETE FROM alert_silences WHERE until_ns <= ?').run(nowNs);
    this.#kept = this.#kept.filter(({ silence }) => silence.untilNs > nowNs);
  }
}

function keep(silence: Silence): Kept {
  return {
    silence,
    matchesSensor: silence.sensor === undefined ? () => true : createPattern(silence.sensor),
  };
}

function toSilence(row: Row): Silence {
  return {
    id: String(row.id),
    rule: row.rule ?? undefined,
    sensor: row.sensor ?? undefined,
    severity: row.severity ?? undefined,
    untilNs: row.until_ns,
    createdNs: row.created_ns,
    by: row.made_by,
    comment: row.comment ?? undefined,
  };
}
