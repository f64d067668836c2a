import { type Clock, Counter, Histogram, type Registry } from '@tidemark/core';
import type { Context, MiddlewareHandler } from 'hono';
import { matchedRoutes } from 'hono/route';
import type { ApiEnv } from '../parts.ts';

const knownMethods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** Counts and times every request by route pattern: never by raw path, which anybody can make up. */
export function requestMetrics(registry: Registry, clock: Clock): MiddlewareHandler<ApiEnv> {
  const total = new Counter({
    name: 'tidemark_http_requests_total',
    help: 'HTTP requests answered',
    labelNames: ['route', 'method', 'status'],
    registers: [registry],
  });
  const duration = new Histogram({
    name: 'tidemark_http_request_duration_seconds',
    help: 'Time until the answer began',
    labelNames: ['route', 'method'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [registry],
  });
  return async (c, next) => {
    const startMs = clock.monotonicMs();
    await next();
    const route = routeOf(c);
    const method = knownMethods.has(c.req.method) ? c.req.method : 'other';
    total.inc({ route, method, status: c.res.status });
    duration.observe({ route, method }, (clock.monotonicMs() - startMs) / 1000);
  };
}

function routeOf(c: Context<ApiEnv>): string {
  return matchedRoutes(c).find(({ path }) => !path.endsWith('*'))?.path ?? 'none';
}
