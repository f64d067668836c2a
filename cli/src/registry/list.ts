import { parseJson } from '@tidemark/core';
import { ask, type QueryParameters } from '../ask.ts';
import { type ConnectionOptions, httpConnection } from '../connection.ts';
import { type Item, toTable } from '../table.ts';

export type ListOptions = ConnectionOptions &
  QueryParameters & { kind: 'sensors' | 'locations'; json?: boolean };

interface Listing {
  items: Item[];
  next: string | null;
}

/** Prints the sensors or locations of a running platform: a table, or the answer as it came. */
export async function list(
  options: Omit<ListOptions, 'kind'> & { kind: ListOptions['kind'] },
): Promise<void> {
  const { kind: path, url, token, config, json, ...parameters } = options;
  const connection = httpConnection({ url, token, config } as ConnectionOptions);
  const body = await ask(connection, { path, parameters: parameters as QueryParameters });
  if (json) return void process.stdout.write(`${body.trimEnd()}\n`);
  const { items, next } = parseJson(body) as Listing;
  process.stdout.write(toTable(items.map(path === 'sensors' ? sensorRow : locationRow)));
  if (items.length === 0) process.stderr.write('nothing found\n');
  if (next) process.stderr.write(`there is more: add --cursor ${next}\n`);
}

/** Prints one of them, a line for each member. */
export async function show(
  path: ListOptions['kind'],
  id: string,
  options: ConnectionOptions & { json?: boolean },
): Promise<void> {
  const body = await ask(httpConnection(options), { path: `${path}/${encodeURIComponent(id)}` });
  if (options.json) return void process.stdout.write(`${body.trimEnd()}\n`);
  const entry = parseJson(body) as Item;
  process.stdout.write(toTable(Object.entries(entry).map(([member, value]) => ({ member, value }))));
}

function sensorRow({
  id,
  kind,
  location,
  state,
  owner,
  expectedInterval,
  metrics,
  labels,
  lastSeen,
}: Item): Item {
  const labelTexts = Object.entries(labels as Record<string, string>).map((label) => label.join('='));
  return {
    id,
    kind,
    location,
    state,
    owner,
    interval: expectedInterval,
    metrics: Object.keys(metrics as object).join(','),
    labels: labelTexts.join(','),
    lastSeen,
  };
}

function locationRow({ id, name, latitude, longitude, parent }: Item): Item {
  return { id, name, latitude, longitude, parent };
}
