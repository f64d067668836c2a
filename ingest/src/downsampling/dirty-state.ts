import type { MetaDb } from '@tidemark/store';
import type { Range } from './ranges.ts';

/** What of each width is to be summed up, in meta.db. */
export class DirtyState {
  readonly #db: MetaDb;

  constructor(db: MetaDb) {
    this.#db = db;
  }

  /** By width; those that are wanted no more are forgotten, so that all is summed up should they be again. */
  load(wanted: readonly string[]): Map<string, Range[]> {
    const found = this.#db.prepare('SELECT every, ranges FROM downsample_dirty').all() as {
      every: string;
      ranges: string;
    }[];
    const known = new Map<string, Range[]>();
    for (const { every, ranges } of found) {
      if (wanted.includes(every)) known.set(every, JSON.parse(ranges) as Range[]);
      else this.#db.prepare('DELETE FROM downsample_dirty WHERE every = ?').run(every);
    }
    return known;
  }

  /** Durable when it returns. */
  save(every: string, ranges: readonly Range[]): void {
    this.#db
      .prepare('INSERT OR REPLACE INTO downsample_dirty (every, ranges) VALUES (?, ?)')
      .run(every, JSON.stringify(ranges));
  }
}
