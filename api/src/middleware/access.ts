import { type Access, TidemarkError } from '@tidemark/core';
import type { Context, MiddlewareHandler } from 'hono';
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
      throw new TidemarkError('unauthorized', 'send an API token: "Authorization: Bearer <token>"');
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

function tokenOf(c: Context<ApiEnv>): string | undefined {
  return /^(?:Bearer|Token) +(\S+)$/i.exec(c.req.header('authorization') ?? '')?.[1];
}
