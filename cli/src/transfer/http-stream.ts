import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { type QueryParameters, refusal, unreachable, urlOf } from '../ask.ts';
import type { HttpConnection } from '../connection.ts';

interface StreamQuestion {
  method: 'GET' | 'POST';
  /** Below `/api/v1/`. */
  path: string;
  parameters: QueryParameters;
  contentType?: string;
  /** Of the answer; any when not given. */
  answerType?: string;
  body?: Readable;
  signal: AbortSignal;
  /** A status that is an answer, besides those of success. */
  accepts?: number;
}

/**
 * Asks a running platform for an answer, or with a body, of any length and duration: `fetch` gives up after five minutes.
 * Throws what it refuses, `unavailable` (retryable) when it cannot be reached or cannot take it now.
 */
export async function askStream(
  connection: HttpConnection,
  { method, path, parameters, contentType, answerType, body, signal, accepts }: StreamQuestion,
): Promise<IncomingMessage> {
  const { url: base, token } = connection;
  const url = urlOf(base, path, parameters);
  const request = (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, {
    method,
    signal,
    headers: {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(contentType !== undefined && { 'content-type': contentType }),
      ...(answerType !== undefined && { accept: answerType }),
    },
  });
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  request.once('response', resolve).once('error', reject);
  // A refusal may come before the body is through, which then is no fault of its own.
  if (body === undefined) request.end();
  else pipeline(body, request).catch(reject);
  const response = await promise.catch((error: unknown) => {
    throw unreachable(base, error);
  });
  const status = response.statusCode ?? 0;
  if ((status >= 200 && status < 300) || status === accepts) return response;
  throw refusal(status, await text(response).catch(() => ''));
}
