import type { Point, QualityCheck, QualityCount, QualityFilter } from '@tidemark/core';
import { inTransaction, type MetaDb } from '@tidemark/store';
import { minuteFrom, minuteOf, startOfMinute } from './minutes.ts';

/** What is counted: failures of sensors by check, what was refused by reason, and that of registered sensors. */
export type CountMeasurement = 'quality' | 'quarantine' | 'refusals';

/** Stands for every sensor beyond `MAX_PER_MINUTE`; no sensor can be called so. */
const OTHER_SENSORS = '#others';

/** Pairs of sensor and check that are counted apart within a minute. */
const MAX_PER_MINUTE = 10_000;
/** Rows that are kept; the oldest go, and stay in the store. */
const MAX_ROWS = 100_000;

/** A count of one minute. */
interface Row {
  measurement: CountMeasurement;
  /** Minutes since 1970, UTC, of the acceptance. */
  minute: number;
  /** The sensor, or the source of what was refused. */
  subject: string;
  /** The check, or the reason. */
  cause: string;
  count: number;
}

/** How far the log was counted, and when that was saved. */
export interface Progress {
  offset: number;
  savedNs: bigint;
}

interface Bounds {
  maxPerMinute: number;
  maxRows: number;
}

/**
 * Failures by minute, in meta.db. What was counted is saved in one transaction with the place in the log up to
 * which it was, so that each failure counts once whenever the platform stops.
 */
export class FailureCounts {
  readonly #db: MetaDb;
  readonly #bounds: Bounds;
  readonly #pending = new Map<string, Row>();
  /** What was counted apart in the newest minute. */
  readonly #apart = new Set<string>();
  #apartMinute = 0;
  #rows: number;

  constructor(db: MetaDb, bounds: Bounds = { maxPerMinute: MAX_PER_MINUTE, maxRows: MAX_ROWS }) {
    this.#db = db;
    this.#bounds = bounds;
    const { rows } = db.prepare('SELECT count(*) AS rows FROM failure_counts').get() as { rows: number };
    this.#rows = rows;
  }

  get unsavedRows(): number {
    return this.#pending.size;
  }

  /** Where a restart goes on; undefined at the first start. */
  progress(): Progress | undefined {
    const statement = this.#db.prepare('SELECT spool_offset, saved_ns FROM quality_progress');
    statement.setReadBigInts(true);
    const row = statement.get() as { spool_offset: bigint; saved_ns: bigint } | undefined;
    return row && { offset: Number(row.spool_offset), savedNs: row.saved_ns };
  }

  add(measurement: CountMeasurement, timeNs: bigint, subject: string, cause: string, count = 1): void {
    const minute = minuteOf(timeNs);
    const counted = this.#isCountedApart(minute, subject, cause) ? subject : OTHER_SENSORS;
    const key = `${measurement}\n${minute}\n${counted}\n${cause}`;
    const row = this.#pending.get(key);
    if (row) row.count += count;
    else this.#pending.set(key, { measurement, minute, subject: counted, cause, count });
  }

  /**
   * Saves what was counted, the place it was counted to, and what `also` writes, all or nothing; returns how many
   * old rows had to go.
   */
  save(progress: Progress, also: () => void = () => {}): number {
    const before = this.#rows;
    try {
      const evicted = inTransaction(this.#db, () => {
        this.#insertPending();
        this.#db
          .prepare('INSERT OR REPLACE INTO quality_progress (id, spool_offset, saved_ns) VALUES (1, ?, ?)')
          .run(progress.offset, progress.savedNs);
        also();
        return this.#evict();
      });
      this.#pending.clear();
      return evicted;
    } catch (error) {
      this.#rows = before;
      throw error;
    }
  }

  /** Saved failures of the sensors within the range, by sensor and check. */
  counts({ sensors, checks, fromNs, toNs, limit, after }: QualityFilter): QualityCount[] {
    const rows = this.#db
      .prepare(
        `SELECT subject, cause, sum(count) AS total, min(minute) AS first, max(minute) AS last
         FROM failure_counts
         WHERE measurement = 'quality' AND minute >= ?1 AND minute < ?2
           AND (?3 IS NULL OR subject IN (SELECT value FROM json_each(?3)))
           AND (?4 IS NULL OR cause IN (SELECT value FROM json_each(?4)))
           AND (?5 IS NULL OR (subject, cause) > (?5, ?6))
         GROUP BY subject, cause ORDER BY subject, cause LIMIT ?7`,
      )
      .all(
        minuteOf(fromNs),
        minuteFrom(toNs),
        asJsonList(sensors),
        asJsonList(checks),
        after?.sensor ?? null,
        after?.check ?? null,
        limit,
      ) as { subject: string; cause: string; total: number; first: number; last: number }[];
    return rows.map(({ subject, cause, total, first, last }) => ({
      sensor: subject,
      check: cause as QualityCheck,
      count: total,
      firstNs: startOfMinute(first),
      lastNs: startOfMinute(last),
    }));
  }

  /** Up to `limit` counts of minutes that ended before `timeNs` and are not in the log yet. */
  unwritten(timeNs: bigint, limit: number): Row[] {
    return this.#db
      .prepare(
        `SELECT measurement, minute, subject, cause, count FROM failure_counts
         WHERE is_written = 0 AND minute < ? ORDER BY minute LIMIT ?`,
      )
      .all(minuteOf(timeNs), limit) as unknown as Row[];
  }

  /** Notes that these counts are in the log; one that has grown since will be written again. */
  markWritten(rows: readonly Row[]): void {
    const mark = this.#db.prepare(
      `UPDATE failure_counts SET is_written = 1
       WHERE measurement = ? AND minute = ? AND subject = ? AND cause = ? AND count = ?`,
    );
    inTransaction(this.#db, () => {
      for (const { measurement, minute, subject, cause, count } of rows)
        mark.run(measurement, minute, subject, cause, count);
    });
  }

  #isCountedApart(minute: number, subject: string, cause: string): boolean {
    if (minute !== this.#apartMinute) {
      this.#apartMinute = minute;
      this.#apart.clear();
    }
    const pair = `${subject}\n${cause}`;
    if (this.#apart.has(pair)) return true;
    if (this.#apart.size >= this.#bounds.maxPerMinute) return false;
    this.#apart.add(pair);
    return true;
  }

  #insertPending(): void {
    const insert = this.#db.prepare(
      `INSERT INTO failure_counts (measurement, minute, subject, cause, count, is_written)
       VALUES (?1, ?2, ?3, ?4, ?5, 0)
       ON CONFLICT DO UPDATE SET count = count + excluded.count, is_written = 0
       RETURNING count`,
    );
    for (const { measurement, minute, subject, cause, count } of this.#pending.values()) {
      const { count: total } = insert.get(measurement, minute, subject, cause, count) as { count: number };
      if (total === count) this.#rows++;
    }
  }

  #evict(): number {
    const excess = this.#rows - this.#bounds.maxRows;
    if (excess <= 0) return 0;
    this.#db
      .prepare(
        `DELETE FROM failure_counts WHERE (measurement, minute, subject, cause) IN
         (SELECT measurement, minute, subject, cause FROM failure_counts ORDER BY minute LIMIT ?)`,
      )
      .run(excess);
    this.#rows -= excess;
    return excess;
  }
}

/** A minute's count as the store holds it: at the minute's start, so that a larger count takes its place. */
export function countToPoint({ measurement, minute, subject, cause, count }: Row): Point {
  const tags =
    measurement !== 'quarantine'
      ? ([
          ['check', cause],
          ['sensor', subject],
        ] as const)
      : ([
          ['reason', cause],
          ['source', subject],
        ] as const);
  const name = measurement === 'refusals' ? 'quality' : measurement;
  return { measurement: name, tags, fields: [['count', BigInt(count)]], timeNs: startOfMinute(minute) };
}

function asJsonList(names: readonly string[] | undefined): string | null {
  return names === undefined || names.length === 0 ? null : JSON.stringify(names);
}
