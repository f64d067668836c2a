import { type Access, TidemarkError } from '@tidemark/core';
import type { Context, MiddlewareHandler } from 'hono';
import { isInfluxPath } from '../influx/fault.ts';
import type { ApiEnv } from '../parts.ts';

// What says nothing about anybody's data: the page asks for the token, so it has to load without one.
const openPaths = new Set(['/', '/ping', '/ready', '/health', '/docs', '/openapi.json']);
const openFolders = ['/assets/', '/docs/'];

/** Asks for an API token wherever credentials are configured, except for what is open to all: 401 otherwise. */
export function checkAccess(access: Access): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const { path } = c.req;
    const isOpen = openPaths.has(path) || openFolders.some((folder) => path.startsWith(folder));
    if (!isOpen && !isTrusted(access, c)) {
      const orPassword = isInfluxPath(path) ? ', or as the password, with any user name' : '';
      throw new TidemarkError(
        'unauthorized',
        `send an API token: "Authorization: Bearer <token>"${orPassword}`,
      );
    }
    await next();
  };
}

/** True when no credentials are needed, or the request shows a valid token. */
export function isTrusted(access: Access, c: Context<ApiEnv>): boolean {
  if (!access.isRequired) return true;
  const token = tokenOf(c);
  return token !== undefined && access.checkToken(token);
}

/** Who asks, for the audit log: the name of the API token, or `local` where none is shown. */
export function actorOf(access: Access, c: Context<ApiEnv>): string {
  const token = tokenOf(c);
  return (token === undefined ? undefined : access.tokenName(token)) ?? 'local';
}

/** InfluxDB 1 has user and password: the password is the token, whatever the name. */
function tokenOf(c: Context<ApiEnv>): string | undefined {
  const [, scheme, shown] = /^(Bearer|Token|Basic) +(\S+)$/i.exec(c.req.header('authorization') ?? '') ?? [];
  if (scheme === undefined) return isInfluxPath(c.req.path) ? c.req.query('p') : protocolToken(c);
  if (scheme.toLowerCase() !== 'basic') return shown;
  return /:(.*)$/s.exec(Buffer.from(shown!, 'base64').toString())?.[1];
}

/** A browser can send no header with a WebSocket but the subprotocols it offers: one of them is `token.<token>`. */
function protocolToken(c: Context<ApiEnv>): string | undefined {
  if (c.env?.webSocket === undefined) return undefined;
  return /(?:^|,)\s*token\.([^\s,]+)/.exec(c.req.header('sec-websocket-protocol') ?? '')?.[1];
}
