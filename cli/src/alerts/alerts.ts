import { parseJson } from '@tidemark/core';
import { ask, type QueryParameters } from '../ask.ts';
import { type ConnectionOptions, httpConnection } from '../connection.ts';
import { type Item, toTable } from '../table.ts';

export type ListOptions = ConnectionOptions & QueryParameters & { json?: boolean };
export type ActOptions = ConnectionOptions & {
  json?: boolean;
  by?: string;
  comment?: string;
  until?: string;
};

/** `tidemark alerts list`. */
export async function list(options: ListOptions): Promise<void> {
  await printPage('alerts', options, ({ id, state, value, since, severity, message }) => ({
    id,
    state,
    value,
    since,
    severity,
    message,
  }));
}

/** `tidemark alerts history`. */
export async function history(options: ListOptions): Promise<void> {
  await printPage('alerts/history', options, ({ time, id, state, value, by, comment, message }) => ({
    time,
    id,
    state,
    value,
    by,
    comment,
    message,
  }));
}

/** `tidemark alerts ack`, `resolve` and `silence`. */
export async function act(action: string, id: string, options: ActOptions): Promise<void> {
  const { by, comment, until, json } = options;
  const path = `alerts/${encodeURIComponent(id)}/${action}`;
  const answer = await ask(httpConnection(options), { method: 'POST', path, body: { by, comment, until } });
  if (json) return void process.stdout.write(`${answer.trimEnd()}\n`);
  process.stdout.write(`${id} is ${(parseJson(answer) as Item).state}\n`);
}

/** One page of a list of the API, as a table or as it came. */
export async function printPage(
  path: string,
  options: ListOptions,
  toRow: (item: Item) => Item,
): Promise<void> {
  const { url, token, config, json, ...parameters } = options;
  const connection = httpConnection({ url, token, config } as ConnectionOptions);
  const body = await ask(connection, { path, parameters: parameters as QueryParameters });
  if (json) return void process.stdout.write(`${body.trimEnd()}\n`);
  const { items, next } = parseJson(body) as { items: Item[]; next: string | null };
  process.stdout.write(toTable(items.map(toRow)));
  if (items.length === 0) process.stderr.write('nothing found\n');
  if (next) process.stderr.write(`there is more: add --cursor ${next}\n`);
}
