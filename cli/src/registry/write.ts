import { parseJson } from '@tidemark/core';
import { ask } from '../ask.ts';
import { type ConnectionOptions, httpConnection } from '../connection.ts';
import { type OutputOptions, printResult } from '../progress.ts';

export type WriteOptions = ConnectionOptions & OutputOptions;
/** Of what the audit log tells. */
export type AuditedOptions = WriteOptions & { note?: string };

type Kind = 'sensors' | 'locations';
type Fields = Record<string, unknown>;

/** Registers a sensor or a location. */
export async function add(kind: Kind, id: string, options: WriteOptions & Fields): Promise<void> {
  const body = { id, ...fieldsOf(options) };
  const data = await send(options, { method: 'POST', path: kind, body });
  printResult(options, { text: `registered ${id}`, data });
}

/** Changes what is given, and nothing else. */
export async function change(kind: Kind, id: string, options: WriteOptions & Fields): Promise<void> {
  const body = fieldsOf(options);
  const data = await send(options, { method: 'PATCH', path: pathOf(kind, id), body });
  printResult(options, { text: `changed ${data.id}: ${Object.keys(body).join(', ') || 'nothing'}`, data });
}

/** Gives a sensor another id. */
export async function rename(id: string, newId: string, options: AuditedOptions): Promise<void> {
  const path = `${pathOf('sensors', id)}/rename`;
  const parameters = { note: options.note };
  const data = await send(options, { method: 'POST', path, parameters, body: { id: newId } });
  const text =
    data.id === newId ? `${id} is ${newId} now` : `${id} will be ${newId} as soon as the store answers`;
  printResult(options, { text, data });
}

/** Deletes it, and says what became of a sensor's data. */
export async function remove(
  kind: Kind,
  id: string,
  options: AuditedOptions & { data?: string },
): Promise<void> {
  const parameters = { data: options.data, note: options.note };
  const answer = await send(options, { method: 'DELETE', path: pathOf(kind, id), parameters });
  const points = answer.points === null ? 'its' : `${answer.points}`;
  const outcome = kind === 'sensors' ? `; ${points} values ${answer.data}` : '';
  printResult(options, { text: `removed ${id}${outcome}`, data: { ...answer, id } });
}

async function send(options: WriteOptions, request: Parameters<typeof ask>[1]): Promise<Fields> {
  const body = await ask(httpConnection(options), request);
  return body === '' ? {} : (parseJson(body) as Fields);
}

function pathOf(kind: Kind, id: string): string {
  return `${kind}/${encodeURIComponent(id)}`;
}

/** Members of the document; an empty text is null, which takes the member away. */
function fieldsOf({ url, token, config, json, quiet, ...fields }: WriteOptions & Fields): Fields {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [memberOf(name), value === '' ? null : value]),
  );
}

/** Options that may be repeated have the name of one; members of the document that of many. */
function memberOf(option: string): string {
  return { metric: 'metrics', label: 'labels' }[option] ?? option;
}
