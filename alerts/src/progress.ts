import { inTransaction, type MetaDb } from '@tidemark/store';
import type { Lifecycle } from './lifecycle.ts';
import type { Notifier } from './notify/notifier.ts';
import { encodeSeries, type Saved } from './series.ts';
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
  notifier: Notifier;
}

/**
 * What is known of the series, in meta.db, in one transaction with the place in the log, the transitions and what is
 * to be notified of them: a restart goes on exactly there, so that nothing that was pending is forgotten, nothing
 * fires twice, and nobody who is to be told is left out.
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

  *series(): Iterable<{ rule: string; sensor: string; saved: Saved }> {
    const rows = this.#options.db.prepare('SELECT rule, sensor, state FROM alert_series').all();
    for (const { rule, sensor, state } of rows as { rule: string; sensor: string; state: string }[])
      yield { rule, sensor, saved: JSON.parse(state) as Saved };
  }

  save({ offset, ranMs }: Standing): void {
    const { db, lifecycle, transitions, notifier } = this.#options;
    const { changed, removed, transitions: added } = lifecycle.unsaved;
    const put = db.prepare('INSERT OR REPLACE INTO alert_series (rule, sensor, state) VALUES (?, ?, ?)');
    const remove = db.prepare('DELETE FROM alert_series WHERE rule = ? AND sensor = ?');
    const committed = inTransaction(db, () => {
      for (const { rule, sensor } of removed) remove.run(rule.rule.id, sensor);
      for (const series of changed) put.run(series.rule.rule.id, series.sensor, encodeSeries(series));
      const notices = notifier.add(transitions.add(added));
      db.prepare('INSERT OR REPLACE INTO alert_progress (id, spool_offset, ran_ms) VALUES (1, ?, ?)').run(
        offset,
        Math.round(ranMs),
      );
      return notices;
    });
    lifecycle.noteSaved();
    if (added.length > 0) transitions.wake();
    committed();
  }
}
