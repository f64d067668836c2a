import type { QueryRows, QueryValue } from '../../engine.ts';
import type { Grid } from './fill.ts';

/** The rows of a group, with one for each window that has none; those are made as they are asked for, too. */
export class FilledRows implements QueryRows {
  readonly #rows: QueryRows;
  readonly #grid: Grid;
  readonly #empty: readonly QueryValue[];

  /** `empty` is what a window without points holds, by column. */
  constructor(rows: QueryRows, grid: Grid, empty: readonly QueryValue[]) {
    this.#rows = rows;
    this.#grid = grid;
    this.#empty = empty;
  }

  get length(): number {
    return this.#grid.count;
  }

  *[Symbol.iterator](): Generator<readonly QueryValue[]> {
    const rows = this.#rows[Symbol.iterator]();
    let next = rows.next();
    for (const startNs of this.#grid.starts()) {
      if (next.done === true || next.value[0] !== startNs) yield [startNs, ...this.#empty];
      else {
        yield next.value;
        next = rows.next();
      }
    }
  }
}
