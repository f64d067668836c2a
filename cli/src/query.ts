import { parseJson } from '@tidemark/core';
import { ask, type QueryParameters } from './ask.ts';
import { type ConnectionOptions, httpConnection } from './connection.ts';
import { type Item, toCsv, toTable } from './table.ts';

/** What can be asked for, and the name it has in the API. */
export type QueryKind = 'windows' | 'readings' | 'latest' | 'quality';

export interface QueryOptions extends ConnectionOptions {
  json?: boolean;
  csv?: boolean;
}

interface Answer {
  items: Item[];
  next: string | null;
}

/** Asks a running platform, and prints the answer as a table, as CSV or, untouched, as JSON. */
export async function query(
  kind: QueryKind,
  parameters: QueryParameters,
  options: QueryOptions,
): Promise<void> {
  const body = await ask(httpConnection(options), { path: kind, parameters });
  if (options.json) return void process.stdout.write(`${body.trimEnd()}\n`);
  const { items, next } = parseJson(body) as Answer;
  process.stdout.write(options.csv ? toCsv(items) : toTable(items));
  if (items.length === 0) process.stderr.write('nothing found\n');
  if (next) process.stderr.write(`there is more: add --cursor ${next}\n`);
}
