import {
  BIGINT,
  BOOLEAN,
  DOUBLE,
  type DuckDBType,
  type DuckDBValue,
  UBIGINT,
  VARCHAR,
} from '@duckdb/node-api';
import { type FieldType, type FieldValue, fieldTypes, NS_PER_DAY, Uint64 } from '@tidemark/core';

/** Version of the file's layout; raised with every change that an older Tidemark could not read. */
// 1: series ids without gaps; 2: gaps where sensors were deleted; 3: the position in the log; 4: sums.
export const LAYOUT_VERSION = 4;

/**
 * What a table is for: new rows, rows that arrived late or twice, rows at their final place, or what the rows of one
 * of these add up to.
 */
export type TableKind = 'hot' | 'late' | 'part' | 'sums';

/** How each type's values are kept and turned back. */
export const valueTypes: Record<
  FieldType,
  { duckdb: DuckDBType; fromStore(value: DuckDBValue): FieldValue }
> = {
  float: { duckdb: DOUBLE, fromStore: (value) => value as number },
  integer: { duckdb: BIGINT, fromStore: (value) => value as bigint },
  unsigned: { duckdb: UBIGINT, fromStore: (value) => new Uint64(value as bigint) },
  boolean: { duckdb: BOOLEAN, fromStore: (value) => value as boolean },
  string: { duckdb: VARCHAR, fromStore: (value) => value as string },
};

/** How far in the log the points are here; one row, NULL until the first sync. */
export const positionTable: readonly string[] = [
  'CREATE TABLE position (log_offset BIGINT)',
  'INSERT INTO position VALUES (NULL)',
];

/** Tables that every file has. `tables` lists the tables of points and is the truth about them. */
export const baseTables: readonly string[] = [
  'CREATE TABLE layout (version INTEGER)',
  `INSERT INTO layout VALUES (${LAYOUT_VERSION})`,
  'CREATE TABLE series (id INTEGER, measurement VARCHAR, tags VARCHAR, field VARCHAR, type VARCHAR)',
  `CREATE TABLE tables (
     name VARCHAR, kind VARCHAR, type VARCHAR, generation BIGINT,
     start_day BIGINT, width_days BIGINT, rows BIGINT, sorted_rows BIGINT, runs BIGINT
   )`,
  ...positionTable,
  ...fieldTypes.map((type) => createPoints(lastTable(type), type)),
];

/** DDL of a table of points of one type; rows are (series, time in ns, value). */
export function createPoints(name: string, type: FieldType): string {
  return `CREATE TABLE ${quote(name)} (series INTEGER, time BIGINT, value ${valueTypes[type].duckdb})`;
}

/** The table that holds each series' newest point as of the last compaction, so that a start is quick. */
export function lastTable(type: FieldType): string {
  return `last_${type}`;
}

/** A name as SQL; names are our own, made of letters, digits, `_` and `-`. */
export function quote(name: string): string {
  return `"${name}"`;
}

/** SQL for the day (since 1970, rounded down) of a time; `//` alone rounds towards zero. */
export const dayOfTimeSql = `(time // ${NS_PER_DAY} - CAST(time % ${NS_PER_DAY} < 0 AS BIGINT))`;

export const MIN_TIME_NS = -(2n ** 63n);
export const MAX_TIME_NS = 2n ** 63n - 1n;
