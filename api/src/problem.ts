import { STATUS_CODES } from 'node:http';
import { type ErrorCode, type Issue, type Logger, TidemarkError } from '@tidemark/core';
import type { ErrorHandler } from 'hono';
import { HTTPException } from 'hono/http-exception';
import type { z } from 'zod';
import { influxFaultOf, isInfluxPath } from './influx/fault.ts';
import type { ApiEnv } from './parts.ts';

const statusOf: Record<ErrorCode, number> = {
  bad_request: 400,
  unauthorized: 401,
  forbidden: 403,
  not_found: 404,
  method_not_allowed: 405,
  conflict: 409,
  precondition_failed: 412,
  precondition_required: 428,
  payload_too_large: 413,
  unsupported_media_type: 415,
  nothing_accepted: 422,
  store_rejected: 422,
  unavailable: 503,
  spool_full: 503,
  spool_failed: 503,
  store_unavailable: 503,
  config_invalid: 500,
  store_newer: 500,
  store_damaged: 500,
  address_in_use: 500,
  data_dir_unusable: 500,
  internal: 500,
};

const defaultRetryAfterMs = 1000;

/**
 * Any error on purpose as `application/problem+json` (RFC 9457): `code` and `detail` always, `errors` where
 * fields are at fault, `Retry-After` where the same request may succeed later, and `members` as they are.
 */
export function problemOf(error: TidemarkError, members: Record<string, unknown> = {}): Response {
  const status = statusOf[error.code];
  const body = {
    type: 'about:blank',
    title: STATUS_CODES[status] ?? 'Error',
    status,
    code: error.code,
    detail: error.message,
    ...(error.issues.length > 0 && { errors: error.issues }),
    ...members,
  };
  const headers = new Headers({ 'content-type': 'application/problem+json' });
  if (status === 503) {
    headers.set('retry-after', String(Math.ceil((error.retryAfterMs ?? defaultRetryAfterMs) / 1000)));
  }
  if (status === 401) headers.set('www-authenticate', 'Bearer realm="tidemark"');
  return new Response(JSON.stringify(body), { status, headers });
}

/** Turns whatever a route threw into a problem; what was not thrown on purpose is logged and told as `internal`. */
export function createErrorHandler(logger: Logger): ErrorHandler<ApiEnv> {
  return (thrown, c) => {
    const error = asTidemarkError(thrown, c.req.raw.signal);
    if (statusOf[error.code] === 500) logger.error({ err: thrown, path: c.req.path }, 'request failed');
    const problem = problemOf(error);
    return isInfluxPath(c.req.path) ? influxFaultOf(error, problem) : problem;
  };
}

function asTidemarkError(thrown: unknown, signal: AbortSignal): TidemarkError {
  if (thrown instanceof TidemarkError) return thrown;
  if (thrown instanceof HTTPException && thrown.status < 500)
    return new TidemarkError('bad_request', thrown.message);
  if (signal.aborted) return new TidemarkError('bad_request', 'the request ended before its body did');
  return new TidemarkError('internal', 'something went wrong here; the log says what');
}

/** What a schema found wrong, with `unknown` said of members that it does not have. */
export function issuesOf(error: z.ZodError, unknown: string): Issue[] {
  return error.issues.flatMap((issue) => {
    const path = issue.path.join('.');
    if (issue.code !== 'unrecognized_keys') return [{ path, message: issue.message }];
    return issue.keys.map((key) => ({ path: path === '' ? key : `${path}.${key}`, message: unknown }));
  });
}

/** The refusal of a request whose fields are at fault, naming each. */
export function invalidFields(issues: Issue[]): TidemarkError {
  const detail = issues
    .map(({ path, message }) => (path === '' ? message : `${path}: ${message}`))
    .join('; ');
  return new TidemarkError('bad_request', detail, { issues });
}
