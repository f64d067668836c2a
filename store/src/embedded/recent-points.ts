import { type FieldType, nextTurn } from '@tidemark/core';
import { LostTimes } from './lost-times.ts';
import { type Row, toRow } from './readings.ts';
import { RecentRows } from './recent-rows.ts';
import type { Series, SeriesIndex } from './series.ts';
import type { StagedRows } from './staged-rows.ts';

/** Rows that are kept: of floats, 28 bytes each, and of each other type. */
const CAPACITIES = { float: 2 ** 19, other: 2 ** 16 };
/** Rows that are made findable between two turns of the event loop: some 2 ms. */
const ROWS_PER_TURN = 65_536;

/**
 * The points that were written last, so that they are found without a look at the tables, which for a few points anywhere
 * among them is a look at each of their rows. It knows how far it reaches: behind the newest time that was lost of a
 * series, every point of it that was committed is here.
 */
export class RecentPoints {
  readonly #capacities: typeof CAPACITIES;
  readonly #rows = new Map<FieldType, RecentRows>();
  readonly #lost: LostTimes;
  /** Before it, points may have been removed from the tables. */
  #floorNs = 0n;

  /** What the tables hold of these series already is not here. */
  constructor(series: SeriesIndex, capacities = CAPACITIES) {
    this.#capacities = capacities;
    this.#lost = new LostTimes(series.newest.times());
  }

  /** To be told of what is committed, in the order in which rows replace each other. */
  add(rows: StagedRows): void {
    let kept = this.#rows.get(rows.type);
    if (kept === undefined) {
      const capacity = rows.type === 'float' ? this.#capacities.float : this.#capacities.other;
      kept = new RecentRows({ type: rows.type, capacity, lost: this.#lost });
      this.#rows.set(rows.type, kept);
    }
    kept.add(rows);
  }

  /** To be told before points of before a time are removed; series may go, or be another sensor's, without a word. */
  forgetBefore(timeNs: bigint): void {
    if (timeNs > this.#floorNs) this.#floorNs = timeNs;
  }

  /** Does what `find` would have to do first, with turns for others in between. */
  async catchUp(): Promise<void> {
    for (const rows of this.#rows.values()) while (rows.chain(ROWS_PER_TURN)) await nextTurn();
  }

  /** What some series have at a time; undefined when only the tables can tell. */
  find(series: readonly Series[], timeNs: bigint): Row[] | undefined {
    if (timeNs < this.#floorNs) return undefined;
    const found: Row[] = [];
    for (const one of series) {
      if (one.lastTimeNs < timeNs) continue;
      if (timeNs <= this.#lost.of(one.id)) return undefined;
      const value = this.#rows.get(one.type)?.find(one.id, timeNs);
      if (value === undefined) return undefined;
      if (value !== null) found.push(toRow(one, timeNs, value));
    }
    return found;
  }
}
