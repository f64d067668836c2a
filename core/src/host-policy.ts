import { isIP } from 'node:net';
import type { Config } from './config.ts';

/** Why a request with these headers is refused, or undefined when it is let in. */
export type HostPolicy = (host: string | undefined, origin: string | undefined) => string | undefined;

const loopbackNames = ['localhost', '127.0.0.1', '[::1]'];

/**
 * Lets in requests that name this server by an allowed host, and come from no web page or from a page of an
 * allowed host. This is what keeps foreign pages out of a server that asks for no credentials on loopback:
 * the Host check stops DNS rebinding, the Origin check stops cross-site requests.
 */
export function createHostPolicy({
  host: bound,
  http,
}: Pick<Config, 'host'> & { http: Pick<Config['http'], 'allowedHosts'> }): HostPolicy {
  const allowed = new Set(
    [...loopbackNames, bracket(bound), ...http.allowedHosts].map((name) => name.toLowerCase()),
  );
  const isWildcard = bound === '0.0.0.0' || bound === '::';
  const isAllowed = (authority: URL) => allowed.has(authority.hostname) || allowed.has(authority.host);
  return (host, origin) => {
    const named = host === undefined ? undefined : parseAuthority(`http://${host}`);
    // No name was looked up to reach an address, so a rebound one cannot stand here.
    const isAddress = named !== undefined && isWildcard && isIP(unbracket(named.hostname)) !== 0;
    if (named === undefined || !(isAllowed(named) || isAddress)) {
      return `host ${JSON.stringify(host ?? '')} is not allowed; allow it by TIDEMARK_ALLOWED_HOSTS`;
    }
    if (origin === undefined) return undefined;
    const page = parseAuthority(origin);
    if (page !== undefined && (isAllowed(page) || page.host === named.host)) return undefined;
    return `origin ${JSON.stringify(origin)} is not allowed`;
  };
}

/** Scheme, host and port and nothing else, or undefined. */
function parseAuthority(text: string): URL | undefined {
  if (!/^https?:\/\/[^/?#@\\\s]+$/i.test(text)) return undefined;
  return URL.parse(text) ?? undefined;
}

function bracket(host: string): string {
  return isIP(host) === 6 ? `[${host}]` : host;
}

function unbracket(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, '');
}
