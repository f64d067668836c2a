import { type HostPolicy, TidemarkError } from '@tidemark/core';
import type { MiddlewareHandler } from 'hono';
import type { ApiEnv } from '../parts.ts';

/** Applies the policy to every request: 403 otherwise. */
export function checkHosts(policy: HostPolicy): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const refusal = policy(c.req.header('host') ?? new URL(c.req.url).host, c.req.header('origin'));
    if (refusal !== undefined) throw new TidemarkError('forbidden', refusal);
    await next();
  };
}
