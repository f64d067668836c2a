import { HttpError, RequestTimedOutError } from '@influxdata/influxdb-client';
import { messageOf, type OutageReason } from '@tidemark/core';

/** What kind of outage an error of the client tells of; `isTimeout` when the request was given up by us. */
export function outageOf(cause: unknown, isTimeout: boolean): OutageReason {
  if (cause instanceof HttpError) return reasonOf(cause.statusCode);
  if (isTimeout || cause instanceof RequestTimedOutError) return 'timeout';
  // Errors of sockets and of name resolution carry a code; an answer that broke off is the client's own error.
  const isConnection = codeOf(cause) !== undefined || (cause instanceof Error && cause.name === 'AbortError');
  return isConnection ? 'unreachable' : 'other';
}

/** The outage in words, for the log and for who asked. */
export function describeOutage(cause: unknown, isTimeout: boolean): string {
  if (cause instanceof HttpError) {
    const { statusCode, message } = cause;
    if (reasonOf(statusCode) === 'unauthorized')
      return `${statusCode}, the token may not use this bucket (${message})`;
    return message.startsWith(String(statusCode)) ? message : `${statusCode} ${message}`;
  }
  if (outageOf(cause, isTimeout) === 'timeout') return 'no answer in time';
  // Node's connection errors may have an empty message and a code.
  return messageOf(cause) || codeOf(cause) || 'no answer';
}

/** `Retry-After` in seconds or as a date (RFC 9110, 10.2.3); the client reads it as milliseconds. */
export function retryAfterMs(cause: unknown): number | undefined {
  const value = cause instanceof HttpError ? cause.headers?.['retry-after'] : undefined;
  if (typeof value !== 'string') return undefined;
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}

function reasonOf(statusCode: number): OutageReason {
  if (statusCode === 401 || statusCode === 403) return 'unauthorized';
  if (statusCode === 429) return 'throttled';
  return statusCode >= 500 ? 'failed' : 'other';
}

function codeOf(cause: unknown): string | undefined {
  const code = (cause as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : undefined;
}
