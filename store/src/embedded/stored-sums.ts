import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { expect } from 'vitest';
import { columnsOf, partOfSeries } from './parts.ts';
import { quote } from './schema.ts';
import { kept } from './sums.ts';

// For tests: looks into the file of a store that is not open.

type Query = (sql: string) => Promise<unknown[][]>;

/** Runs statements on the file of the store in `path`. */
export async function inFile<T>(path: string, use: (query: Query) => Promise<T>): Promise<T> {
  const instance = await DuckDBInstance.create(join(path, 'store.duckdb'));
  const connection = await instance.connect();
  try {
    return await use(async (sql) => (await connection.runAndReadAll(sql)).getRowsJson());
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

/** Expects every table of sums to hold what its partition adds up to; answers how many there are. */
export function compareSums(path: string): Promise<number> {
  return inFile(path, async (query) => {
    const pairs = await query(
      `SELECT sums.name, part.name FROM tables AS sums LEFT JOIN tables AS part
       ON part.start_day = sums.start_day AND part.type = sums.type AND part.kind = 'part' WHERE sums.kind = 'sums'`,
    );
    for (const [sums, partition] of pairs as [string, string][]) {
      const added = `SELECT series, ${columnsOf(kept, partOfSeries)} FROM ${quote(partition)} GROUP BY series`;
      expect(await query(`SELECT * FROM ${quote(sums)} ORDER BY series`)).toEqual(
        await query(`${added} ORDER BY series`),
      );
    }
    return pairs.length;
  });
}
