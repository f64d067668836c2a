import { createInterface } from 'node:readline/promises';
import { parseJson, TidemarkError } from '@tidemark/core';
import { InvalidArgumentError } from 'commander';
import { ask } from './ask.ts';
import { type ConnectionOptions, type HttpConnection, httpConnection } from './connection.ts';
import { payloadText } from './payload-text.ts';
import { printJson } from './progress.ts';
import { type Item, toTable } from './table.ts';

const PREVIEW_CHARACTERS = 60;

interface JsonOption {
  json?: boolean;
}

interface Filter {
  reason?: string;
  source?: string;
  sensor?: string;
  topic?: string;
  from?: string;
  to?: string;
}

interface Page {
  limit?: number;
  cursor?: string;
}

export type ShowOptions = ConnectionOptions & JsonOption;
export type ListOptions = ShowOptions & Filter & Page;
export type AuditOptions = ShowOptions & Page & { action?: string };
export type ActOptions = ShowOptions & Filter & { all: boolean; note?: string };
export type ReplayOptions = ActOptions & { payload?: string };

interface Refusal extends Item {
  payload: string;
}

interface Replayed {
  replayed: number;
  refused: number;
  reasons: { reason: string; count: number }[];
  left: number;
  next: string | null;
}

/** `tidemark quarantine list`. */
export async function list(options: ListOptions): Promise<void> {
  const { limit, cursor } = options;
  const parameters = { ...filterOf(options), limit, cursor };
  const body = await ask(httpConnection(options), { path: 'quarantine', parameters });
  if (options.json) return void process.stdout.write(`${body.trimEnd()}\n`);
  const { items, next, total } = parseJson(body) as { items: Refusal[]; next: string | null; total: number };
  const rows = items.map(({ id, time, topic, reason, payload }) => {
    const text = payloadText(payload);
    const isLong = text.length > PREVIEW_CHARACTERS;
    return { id, time, topic, reason, payload: isLong ? `${text.slice(0, PREVIEW_CHARACTERS)}…` : text };
  });
  process.stdout.write(toTable(rows));
  if (items.length === 0) process.stderr.write(total === 0 ? 'nothing was refused\n' : 'nothing found\n');
  if (next) process.stderr.write(`there is more: add --cursor ${next}\n`);
}

/** `tidemark quarantine show`. */
export async function show(id: string, options: ShowOptions): Promise<void> {
  const body = await ask(httpConnection(options), { path: `quarantine/${encodeURIComponent(id)}` });
  if (options.json) return void process.stdout.write(`${body.trimEnd()}\n`);
  const { payload, ...rest } = parseJson(body) as Refusal;
  for (const [name, value] of Object.entries(rest)) {
    if (value !== null) process.stdout.write(`${`${name}:`.padEnd(9)}${value}\n`);
  }
  process.stdout.write(`\n${payloadText(payload)}\n`);
}

/** `tidemark quarantine replay`: fails where something was refused again, so that scripts can tell. */
export async function replay(ids: readonly string[], options: ReplayOptions): Promise<void> {
  checkChoice(ids, options);
  const { payload, note } = options;
  if (payload !== undefined && ids.length !== 1) throw wrongUsage('--payload goes with the id of one item');
  const connection = httpConnection(options);
  const body = payload === undefined ? undefined : { payload: Buffer.from(payload).toString('base64') };
  const sum = { replayed: 0, refused: 0, reasons: new Map<string, number>() };
  for await (const answer of answers(connection, ids, { ...filterOf(options), note }, body)) {
    sum.replayed += answer.replayed;
    sum.refused += answer.refused;
    for (const { reason, count } of answer.reasons)
      sum.reasons.set(reason, (sum.reasons.get(reason) ?? 0) + count);
    if (answer.left > 0 && !options.json) process.stderr.write(`${answer.left} left\n`);
  }
  const { replayed, refused, reasons } = sum;
  if (options.json) printJson({ replayed, refused, reasons: Object.fromEntries(reasons) });
  else process.stdout.write(`${replayed} replayed\n`);
  if (refused === 0) return;
  const detail = [...reasons].map(([reason, count]) => `${reason} ${count}`).join(', ');
  throw new TidemarkError(
    'nothing_accepted',
    `${refused} refused again (${detail}); they stay in the quarantine`,
  );
}

/** `tidemark quarantine discard`. */
export async function discard(ids: readonly string[], options: ActOptions & { yes: boolean }): Promise<void> {
  checkChoice(ids, options);
  const connection = httpConnection(options);
  const { note } = options;
  let discarded = 0;
  const one = async (path: string, parameters: Record<string, string | undefined>): Promise<void> => {
    const body = await ask(connection, { method: 'DELETE', path, parameters });
    discarded += (parseJson(body) as { discarded: number }).discarded;
  };
  if (ids.length === 0) {
    const filter = filterOf(options);
    if (!options.yes) await confirm(filter);
    await one('quarantine', { ...filter, all: options.all ? 'true' : undefined, note });
  }
  for (const id of ids) await one(`quarantine/${encodeURIComponent(id)}`, { note });
  if (options.json) printJson({ discarded });
  else process.stdout.write(`${discarded} discarded\n`);
}

/** `tidemark audit`. */
export async function audit(options: AuditOptions): Promise<void> {
  const { action, limit, cursor } = options;
  const body = await ask(httpConnection(options), { path: 'audit', parameters: { action, limit, cursor } });
  if (options.json) return void process.stdout.write(`${body.trimEnd()}\n`);
  const { items, next } = parseJson(body) as { items: Item[]; next: string | null };
  const rows = items.map(({ time, actor, action, target, counts, note }) => ({
    time,
    actor,
    action,
    target: pairs(target),
    counts: pairs(counts),
    note,
  }));
  process.stdout.write(toTable(rows));
  if (items.length === 0) process.stderr.write('nothing found\n');
  if (next) process.stderr.write(`there is more: add --cursor ${next}\n`);
}

/** One answer for each id, or one for each part of what matches. */
async function* answers(
  connection: HttpConnection,
  ids: readonly string[],
  parameters: Record<string, string | undefined>,
  body: unknown,
): AsyncGenerator<Replayed> {
  for (const id of ids) {
    const path = `quarantine/${encodeURIComponent(id)}/replay`;
    const { note } = parameters;
    yield parseJson(await ask(connection, { method: 'POST', path, parameters: { note }, body })) as Replayed;
  }
  let cursor: string | null | undefined = ids.length === 0 ? undefined : null;
  while (cursor !== null) {
    const path = 'quarantine/replay';
    const answer = await ask(connection, { method: 'POST', path, parameters: { ...parameters, cursor } });
    const replayed = parseJson(answer) as Replayed;
    yield replayed;
    cursor = replayed.next;
  }
}

/** All of the quarantine is named by `--all` alone, so that a forgotten filter costs nothing. */
function checkChoice(ids: readonly string[], options: ActOptions): void {
  const isFiltered = Object.values(filterOf(options)).some((value) => value !== undefined);
  const choices = [ids.length > 0, isFiltered, options.all].filter(Boolean).length;
  if (choices !== 1) throw wrongUsage('name ids, or a filter, or --all: one of them');
}

async function confirm(filter: Filter): Promise<void> {
  if (!process.stdin.isTTY || !process.stdout.isTTY)
    throw wrongUsage('add --yes to discard all that match for good');
  const what = pairs(filter);
  const line = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await line.question(
    `Discard for good ${what === '' ? 'everything' : `all with ${what}`}? [y/N] `,
  );
  line.close();
  if (!/^y(es)?$/i.test(answer.trim())) throw new TidemarkError('conflict', 'nothing was discarded');
}

function filterOf({ reason, source, sensor, topic, from, to }: Filter): Record<string, string | undefined> {
  return { reason, source, sensor, topic, from, to };
}

function pairs(object: unknown): string {
  return Object.entries(object as Record<string, unknown>)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');
}

/** Told as commander tells its own, with the exit code of wrong usage. */
function wrongUsage(message: string): InvalidArgumentError {
  process.stderr.write(`error: ${message}\n`);
  return new InvalidArgumentError(message);
}
