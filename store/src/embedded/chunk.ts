import type { DuckDBAppender, DuckDBDataChunk, DuckDBValue } from '@duckdb/node-api';

/** DuckDB's own size of a chunk. */
const CHUNK_ROWS = 2048;

/** One list of values for each column of a table; it may be longer than the rows there are. */
export type Columns = readonly ArrayLike<DuckDBValue>[];

/** Appends rows, given by column, through a chunk that is used over and over. */
export function appendColumns(
  appender: DuckDBAppender,
  chunk: DuckDBDataChunk,
  columns: Columns,
  rows = columns[0]!.length,
): void {
  for (let start = 0; start < rows; start += CHUNK_ROWS) {
    fillChunk(chunk, columns, start, Math.min(CHUNK_ROWS, rows - start));
    appender.appendDataChunk(chunk);
  }
  appender.flushSync();
}

function fillChunk(chunk: DuckDBDataChunk, columns: Columns, start: number, rows: number): void {
  chunk.reset();
  chunk.rowCount = rows;
  columns.forEach((values, index) => {
    const vector = chunk.getColumnVector(index);
    for (let row = 0; row < rows; row++) vector.setItem(row, values[start + row]!);
    vector.flush();
  });
}
