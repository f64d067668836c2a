import { messageOf, parseJson, TidemarkError } from '@tidemark/core';
import { type ConnectionOptions, type HttpConnection, httpConnection } from './connection.ts';
import { type Item, toCsv, toTable } from './table.ts';

const timeoutMs = 120_000;

/** What can be asked for, and the name it has in the API. */
export type QueryKind = 'windows' | 'readings' | 'latest';

/** Parameters of the API by their own names; a list is sent as repeated parameters. */
export type QueryParameters = Record<string, string | number | readonly string[] | undefined>;

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
  const body = await ask(httpConnection(options), kind, parameters);
  if (options.json) return void process.stdout.write(`${body.trimEnd()}\n`);
  const { items, next } = parseJson(body) as Answer;
  process.stdout.write(options.csv ? toCsv(items) : toTable(items));
  if (items.length === 0) process.stderr.write('nothing found\n');
  if (next) process.stderr.write(`there is more: add --cursor ${next}\n`);
}

async function ask(
  connection: HttpConnection,
  kind: QueryKind,
  parameters: QueryParameters,
): Promise<string> {
  const url = new URL(`${connection.url}/api/v1/${kind}`);
  for (const [name, value] of Object.entries(parameters)) {
    for (const item of [value ?? []].flat()) url.searchParams.append(name, String(item));
  }
  const headers = connection.token === undefined ? {} : { authorization: `Bearer ${connection.token}` };
  try {
    const response = await fetch(url, {
      headers: { accept: 'application/json', ...headers },
      signal: AbortSignal.timeout(timeoutMs),
    });
    const body = await response.text();
    if (response.ok) return body;
    throw refusal(response.status, body);
  } catch (error) {
    if (error instanceof TidemarkError) throw error;
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
    const message = `cannot ask ${connection.url} (${messageOf(cause)}); is Tidemark running there (npm start)?`;
    throw new TidemarkError('unavailable', message, { cause: error, retryable: true });
  }
}

/** An answer that is no success, told by its problem document (RFC 9457). */
function refusal(status: number, body: string): TidemarkError {
  const problem = parseProblem(body);
  const summary = problem.detail ?? problem.title ?? 'no reason given';
  const errors = problem.errors?.filter(({ message }) => !summary.includes(message)) ?? [];
  const detail = [summary, ...errors.map(({ path, message }) => `${path}: ${message}`)].join('; ');
  const hint = status === 401 ? '; give a token with --token or TIDEMARK_TOKEN' : '';
  return new TidemarkError('bad_request', `the platform answered ${status}: ${detail}${hint}`);
}

function parseProblem(body: string): {
  title?: string;
  detail?: string;
  errors?: { path: string; message: string }[];
} {
  try {
    const problem: unknown = JSON.parse(body);
    return typeof problem === 'object' && problem !== null ? problem : {};
  } catch {
    return {};
  }
}
