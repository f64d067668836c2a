import type { Freshness } from '@tidemark/core';
import type { MiddlewareHandler } from 'hono';
import type { ApiEnv } from '../parts.ts';

const flushTimeoutMs = 250;

/** A query sees what was acknowledged before it, or says in `Tidemark-Lag-Ms` how far behind it is. */
export function freshQueries(freshness: Freshness, timeoutMs = flushTimeoutMs): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const lagMs = await freshness.flush(timeoutMs);
    await next();
    if (lagMs > 0) c.res.headers.set('tidemark-lag-ms', String(Math.ceil(lagMs)));
  };
}
