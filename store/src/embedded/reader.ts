import type { DuckDBDataChunk } from '@duckdb/node-api';
import { messageOf, TidemarkError } from '@tidemark/core';
import type { Beginnings } from './beginnings.ts';
import type { Columns, Database, Parameters } from './database.ts';
import type { Layout } from './layout.ts';
import { isDamage, openingError } from './opening.ts';
import type { RecentPoints } from './recent-points.ts';
import type { SeriesIndex } from './series.ts';
import { buildSource, type Source, type SourceQuery } from './source.ts';

/** A query's text around its source, with the parameters that it adds. */
export interface Statement {
  sql: string;
  parameters?: Parameters;
}

interface ReaderOptions {
  database: Database;
  layout: Layout;
  series: SeriesIndex;
  beginnings: Beginnings;
  recent: RecentPoints;
}

/** A table can go only once for each step of compaction, and steps take longer than the start of a query. */
const MAX_TRIES = 20;

/** Queries the tables as they are, while writes and compaction go on. */
export class Reader {
  readonly layout: Layout;
  readonly series: SeriesIndex;
  readonly beginnings: Beginnings;
  readonly recent: RecentPoints;
  readonly #database: Database;

  constructor({ database, layout, series, beginnings, recent }: ReaderOptions) {
    this.#database = database;
    this.beginnings = beginnings;
    this.recent = recent;
    this.layout = layout;
    this.series = series;
  }

  /**
   * Runs one statement over a source and hands on its rows, by column, in pieces; none when no table holds
   * anything in its range. A statement is one snapshot, in which each point is in exactly one table; one that names a table that compaction has
   * dropped meanwhile fails as a whole, and is built anew.
   */
  read(
    query: SourceQuery,
    build: (source: Source) => Statement,
    onRows: (columns: Columns) => void,
  ): Promise<void> {
    return this.run(
      () => {
        const source = buildSource(this.layout, this.series, query);
        if (source === undefined) return undefined;
        const { sql, parameters } = build(source);
        return { sql, parameters: { ...source.parameters, ...parameters } };
      },
      (chunk) => onRows(chunk.getColumns()),
    );
  }

  /** As `read`, for a statement over any number of sources, which `build` makes; undefined answers nothing. Rows come by chunk. */
  async run(
    build: () => Statement | undefined,
    onChunk: (chunk: DuckDBDataChunk) => void,
    options: { timeoutMs?: number } = {},
  ): Promise<void> {
    for (let tries = 1; ; tries++) {
      const { version } = this.layout;
      const statement = build();
      if (statement === undefined) return;
      try {
        return await this.#database.read(statement.sql, statement.parameters ?? {}, onChunk, options);
      } catch (error) {
        if (error instanceof TidemarkError) throw error;
        await this.layout.change;
        const isOutdated = /Table with name .* does not exist/.test(messageOf(error));
        if (isOutdated && this.layout.version !== version && tries < MAX_TRIES) continue;
        throw queryError(this.#database.file, error);
      }
    }
  }
}

function queryError(file: string, cause: unknown): Error {
  const message = messageOf(cause);
  if (isDamage(message)) return openingError(file, cause);
  if (/out of memory/i.test(message)) {
    const advice =
      'the query needs more memory than store.memoryBytes leaves: ask for less time, or fewer series';
    return new TidemarkError('unavailable', advice, { cause, retryable: true });
  }
  return new TidemarkError('store_unavailable', `the store failed: ${message.split('\n')[0]}`, {
    cause,
    retryable: true,
  });
}
