import { parseJson, TidemarkError } from '@tidemark/core';
import { ask } from '../ask.ts';
import { type ConnectionOptions, httpConnection } from '../connection.ts';
import { type Item, toTable } from '../table.ts';
import { type ListOptions, printPage } from './alerts.ts';

export type DeskOptions = ConnectionOptions & {
  json?: boolean;
  channel?: string;
  reason?: string;
  all: boolean;
  note?: string;
};

/** `tidemark notifications list`. */
export async function list(options: ListOptions): Promise<void> {
  await printPage('notifications', options, toRow);
}

/** `tidemark notifications quarantined`. */
export async function quarantined(options: ListOptions): Promise<void> {
  await printPage('notifications?state=quarantined', options, toRow);
}

function toRow({ id, channel, alert, state, attempts, reason, detail, next }: Item): Item {
  return { id, channel, alert, state, attempts, next, reason, detail };
}

/** `tidemark notifications replay`: sends what is in the quarantine again. */
export async function replay(id: string | undefined, options: DeskOptions): Promise<void> {
  const path = id === undefined ? 'notifications/replay' : `notifications/${encodeURIComponent(id)}/replay`;
  const { replayed } = await act('POST', path, id, options);
  if (!options.json) process.stdout.write(`${replayed} wait again\n`);
}

/** `tidemark notifications discard`: removes what is in the quarantine for good. */
export async function discard(id: string | undefined, options: DeskOptions): Promise<void> {
  const path = id === undefined ? 'notifications' : `notifications/${encodeURIComponent(id)}`;
  const { discarded } = await act('DELETE', path, id, options);
  if (!options.json) process.stdout.write(`${discarded} discarded\n`);
}

/** `tidemark notifications channels`. */
export async function channels(options: ConnectionOptions & { json?: boolean }): Promise<void> {
  const body = await ask(httpConnection(options), { path: 'channels' });
  if (options.json) return void process.stdout.write(`${body.trimEnd()}\n`);
  process.stdout.write(toTable((parseJson(body) as { items: Item[] }).items));
}

/** `tidemark notifications test`: fails where the channel did not take it, so that scripts can tell. */
export async function test(channel: string, options: ConnectionOptions & { json?: boolean }): Promise<void> {
  const path = `channels/${encodeURIComponent(channel)}/test`;
  const body = await ask(httpConnection(options), { method: 'POST', path });
  const { delivered, detail } = parseJson(body) as { delivered: boolean; detail: string | null };
  if (options.json) process.stdout.write(`${body.trimEnd()}\n`);
  else if (delivered) process.stdout.write(`${channel} has taken a test notification\n`);
  if (!delivered) throw new TidemarkError('unavailable', `${channel} has not taken it: ${detail}`);
}

async function act(
  method: 'POST' | 'DELETE',
  path: string,
  id: string | undefined,
  { channel, reason, all, note, json, ...connection }: DeskOptions,
): Promise<Item> {
  const isChosen = id !== undefined || channel !== undefined || reason !== undefined || all;
  if (!isChosen)
    throw new TidemarkError('bad_request', 'name an id, --channel, --reason, or --all for everything');
  const isAll = method === 'DELETE' && id === undefined && all ? 'true' : undefined;
  const filter = id === undefined ? { channel, reason, all: isAll } : {};
  const body = await ask(httpConnection(connection), { method, path, parameters: { ...filter, note } });
  if (json) process.stdout.write(`${body.trimEnd()}\n`);
  return parseJson(body) as Item;
}
