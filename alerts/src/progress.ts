import { inTransaction, type MetaDb } from '@tidemark/store';
import type { Lifecycle } from './lifecycle.ts';
import { encodeSeries } from './series.ts';
import type { Transitions } from './transitions.ts';

/** Where the evaluation stands: the place in the log, and for how long the platform has evaluated rules in all. */
interface Standing {
  offset: number;
  ranMs: number;
}

interface ProgressOptions {
  db: MetaDb;
  lifecycle: Lifecycle;
  transitions: Transitions;
}

/**
 * What is known of the series, in meta.db, in one transaction with the place in the log and with the transitions:
 * a restart goes on exactly there, so that nothing that was pending is forgotten, and nothing fires twice.
 */
export class Progress {
  readonly #options: ProgressOptions;

  constructor(options: ProgressOptions) {
    this.#options = options;
  }

  load(): Standing | undefined {
    const row = this.#options.db.prepare('SELECT spool_offset, ran_ms FROM alert_progress').get();
    if (row === undefined) return undefined;
    const { spool_offset, ran_ms } = row as { spool_offset: number; ran_ms: number };
    return { offset: spool_offset, ranMs: ran_ms };
  }

  series(): { rule: string; sensor: string; state: string }[] {
    const rows = this.#options.db.prepare('SELECT rule, sensor, state FROM alert_series').all();
    return rows as { rule: string; sensor: string; state: string }[];
  }

  save({ offset, ranMs }: Standing): void {
    const { db, lifecycle, transitions } = this.#options;
    const { changed, removed, transitions: added } = lifecycle.unsaved;
    const put = db.prepare('INSERT OR REPLACE INTO alert_series (rule, sensor, state) VALUES (?, ?, ?)');
    const remove = db.prepare('DELETE FROM alert_series WHERE rule = ? AND sensor = ?');
    inTransaction(db, () => {
      for (const { rule, sensor } of removed) remove.run(rule.rule.id, sensor);
      for (const series of changed) put.run(series.rule.rule.id, series.sensor, encodeSeries(series));
      transitions.add(added);
      db.prepare('INSERT OR REPLACE INTO alert_progress (id, spool_offset, ran_ms) VALUES (1, ?, ?)').run(
        offset,
        Math.round(ranMs),
      );
    });
    lifecycle.noteSaved();
    if (added.length > 0) transitions.wake();
  }
}
