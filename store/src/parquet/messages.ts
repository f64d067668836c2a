import type { FieldType } from '@tidemark/core';

// What the platform and the process that handles a Parquet file say to each other: a request, then its answer.

/** Of the sensor and location the tags, `tags` all others as JSON. */
export type ParquetSeries = readonly [
  measurement: string,
  sensor: string | null,
  location: string | null,
  tags: string | null,
  field: string,
];

/** Values of one type, by column; `ids` are places in `series`. */
export interface ParquetPage {
  type: FieldType;
  series: ParquetSeries[];
  ids: number[];
  times: bigint[];
  values: (number | bigint | boolean | string)[];
}

/** Rows by column; exactly one of the values is to be there. */
export type ParquetRows = [
  time: (bigint | null)[],
  measurement: (string | null)[],
  sensor: (string | null)[],
  location: (string | null)[],
  tags: (string | null)[],
  field: (string | null)[],
  float: (number | null)[],
  integer: (bigint | null)[],
  unsigned: (bigint | null)[],
  boolean: (boolean | null)[],
  string: (string | null)[],
];

export type ParquetRequest =
  | { kind: 'write'; folder: string }
  | { kind: 'page'; page: ParquetPage }
  | { kind: 'finish'; file: string }
  | { kind: 'read'; folder: string; file: string }
  | { kind: 'next' };

export type ParquetAnswer =
  | { kind: 'done' }
  | { kind: 'opened'; total: number }
  | { kind: 'rows'; rows: ParquetRows | undefined }
  | { kind: 'failed'; message: string };
