import type { MiddlewareHandler } from 'hono';
import type { ApiEnv } from '../parts.ts';

const apiPolicy = "default-src 'none'; frame-ancestors 'none'";

/** Headers that keep browsers from guessing types, framing answers or handing them to other sites. */
export const securityHeaders: MiddlewareHandler<ApiEnv> = async (c, next) => {
  await next();
  const { headers } = c.res;
  headers.set('x-content-type-options', 'nosniff');
  headers.set('referrer-policy', 'no-referrer');
  headers.set('cross-origin-resource-policy', 'same-origin');
  headers.set('x-frame-options', 'DENY');
  if (!headers.has('content-security-policy')) headers.set('content-security-policy', apiPolicy);
  if (!headers.has('cache-control')) headers.set('cache-control', 'no-store');
};
