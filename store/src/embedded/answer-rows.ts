import type { DuckDBDataChunk, DuckDBValue } from '@duckdb/node-api';
import type { QueryRows, QueryValue } from '../engine.ts';

/**
 * The rows (g, t, v0, v1, …) of an answer, ordered by `g`. They stay in DuckDB's chunks, which the garbage collector
 * does not go through: a row becomes an array only while it is looked at.
 */
export class AnswerRows {
  readonly #absent: readonly QueryValue[];
  readonly #chunks: DuckDBDataChunk[] = [];
  readonly #groups: { position: number; rows: Stretch }[] = [];
  #length = 0;

  /** `absent` stands for values that are null, by column. */
  constructor(absent: readonly QueryValue[]) {
    this.#absent = absent;
  }

  get length(): number {
    return this.#length;
  }

  /** Each group's rows, by its position. */
  get groups(): readonly { position: number; rows: QueryRows }[] {
    return this.#groups;
  }

  add(chunk: DuckDBDataChunk): void {
    const { rowCount } = chunk;
    this.#length += rowCount;
    this.#chunks.push(chunk);
    const positions = chunk.getColumnVector(0);
    let last = this.#groups.at(-1);
    for (let row = 0; row < rowCount; row++) {
      const position = positions.getItem(row) as number;
      if (last?.position !== position) {
        const start = { chunk: this.#chunks.length - 1, row };
        last = { position, rows: new Stretch(this.#chunks, start, this.#absent) };
        this.#groups.push(last);
      }
      last.rows.length += 1;
    }
  }
}

/** Rows one after another, over as many chunks as they are in. */
class Stretch implements QueryRows {
  length = 0;
  readonly #chunks: readonly DuckDBDataChunk[];
  readonly #start: { chunk: number; row: number };
  readonly #absent: readonly QueryValue[];

  constructor(
    chunks: readonly DuckDBDataChunk[],
    start: { chunk: number; row: number },
    absent: readonly QueryValue[],
  ) {
    this.#chunks = chunks;
    this.#start = start;
    this.#absent = absent;
  }

  *[Symbol.iterator](): Generator<QueryValue[]> {
    let { chunk: index, row } = this.#start;
    for (let left = this.length; left > 0; index++) {
      const chunk = this.#chunks[index]!;
      const times = chunk.getColumnVector(1);
      const columns = this.#absent.map((_, column) => chunk.getColumnVector(2 + column));
      const end = Math.min(chunk.rowCount, row + left);
      left -= end - row;
      for (; row < end; row++) {
        const cells: QueryValue[] = [times.getItem(row) as bigint];
        for (let column = 0; column < columns.length; column++) {
          cells.push(finite(columns[column]!.getItem(row)) ?? this.#absent[column]!);
        }
        yield cells;
      }
      row = 0;
    }
  }
}

/** What is no number is nothing, as in InfluxDB's JSON. */
function finite(value: DuckDBValue): QueryValue {
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  return value as QueryValue;
}
