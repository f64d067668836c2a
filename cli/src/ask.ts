import { messageOf, TidemarkError } from '@tidemark/core';
import type { HttpConnection } from './connection.ts';

const timeoutMs = 120_000;

/** Parameters of the API by their own names; a list is sent as repeated parameters. */
export type QueryParameters = Record<string, string | number | readonly string[] | undefined>;

interface Question {
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Below `/api/v1/`. */
  path: string;
  parameters?: QueryParameters;
  /** Sent as JSON. */
  body?: unknown;
  /** The ETag that a change is made from. */
  ifMatch?: string | undefined;
}

/** Asks a running platform; resolves with the JSON of its answer as text, and throws what it refuses. */
export async function ask(
  { url: base, token }: HttpConnection,
  { method = 'GET', path, parameters = {}, body, ifMatch }: Question,
): Promise<string> {
  const url = urlOf(base, path, parameters);
  const headers = new Headers({ accept: 'application/json' });
  if (token !== undefined) headers.set('authorization', `Bearer ${token}`);
  if (body !== undefined) headers.set('content-type', 'application/json');
  if (ifMatch !== undefined) headers.set('if-match', ifMatch);
  try {
    const response = await fetch(url, {
      method,
      headers,
      body: body === undefined ? null : JSON.stringify(body),
      signal: AbortSignal.timeout(timeoutMs),
    });
    const answer = await response.text();
    if (response.ok) return answer;
    throw refusal(response.status, answer);
  } catch (error) {
    if (error instanceof TidemarkError) throw error;
    throw unreachable(base, error);
  }
}

/** Begins a GET whose answer is long; its body has no limit of time. Throws what the platform refuses. */
export async function openAnswer(
  { url: base, token }: HttpConnection,
  path: string,
): Promise<AsyncIterable<Uint8Array>> {
  const headers = new Headers();
  if (token !== undefined) headers.set('authorization', `Bearer ${token}`);
  const response = await fetch(`${base}/api/v1/${path}`, { headers }).catch((error: unknown) => {
    throw unreachable(base, error);
  });
  if (!response.ok || response.body === null) throw refusal(response.status, await response.text());
  return cutOffTold(base, response.body);
}

async function* cutOffTold(base: string, body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } catch (error) {
    const message = `the answer of ${base} was cut off; its log says why`;
    throw new TidemarkError('unavailable', message, { cause: error, retryable: true });
  }
}

/** An address of the API with its parameters. */
export function urlOf(base: string, path: string, parameters: QueryParameters): URL {
  const url = new URL(`${base}/api/v1/${path}`);
  for (const [name, value] of Object.entries(parameters)) {
    for (const item of [value ?? []].flat()) url.searchParams.append(name, String(item));
  }
  return url;
}

/** No answer came. */
export function unreachable(base: string, error: unknown): TidemarkError {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  const message = `cannot ask ${base} (${messageOf(cause)}); is Tidemark running there (npm start)?`;
  return new TidemarkError('unavailable', message, { cause: error, retryable: true });
}

/** An answer that is no success, told by its problem document (RFC 9457). */
export function refusal(status: number, body: string): TidemarkError {
  const problem = parseProblem(body);
  const summary = problem.detail ?? problem.title ?? 'no reason given';
  const errors = problem.errors?.filter(({ message }) => !summary.includes(message)) ?? [];
  const detail = [summary, ...errors.map(({ path, message }) => `${path}: ${message}`)].join('; ');
  const hint = status === 401 ? '; give a token with --token or TIDEMARK_TOKEN' : '';
  const message = `the platform answered ${status}: ${detail}${hint}`;
  return new TidemarkError('bad_request', message, { retryable: status === 503 });
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
