import type { TidemarkError } from '@tidemark/core';

/** InfluxDB's own routes: clients read faults there in its form, not as problem+json. */
const influxPaths = new Set(['/write', '/api/v2/write', '/query']);

export function isInfluxPath(path: string): boolean {
  return influxPaths.has(path);
}

/** InfluxDB 2's codes, by status: https://docs.influxdata.com/influxdb/v2/api/v2/ (schema `Error`). */
const codeOf: Record<number, string> = {
  400: 'invalid',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'not found',
  405: 'method not allowed',
  413: 'request too large',
  422: 'unprocessable entity',
  500: 'internal error',
  503: 'unavailable',
};

/**
 * `{"code", "message", "error"}`: InfluxDB 2 reads the first two, clients of InfluxDB 1 the third. `members` stand
 * beside them.
 */
export function influxFault(
  status: number,
  message: string,
  { headers = {}, ...members }: { headers?: Record<string, string>; [member: string]: unknown } = {},
): Response {
  const code = codeOf[status] ?? 'invalid';
  return Response.json({ code, message, error: message, ...members }, { status, headers });
}

/** A problem in InfluxDB's form, with its status and headers. */
export function influxFaultOf(error: TidemarkError, problem: Response): Response {
  const headers = Object.fromEntries([...problem.headers].filter(([name]) => name !== 'content-type'));
  return influxFault(problem.status, error.message, { headers });
}
