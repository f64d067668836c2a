import { createHmac } from 'node:crypto';
import http from 'node:http';
import https from 'node:https';
import type { LookupFunction } from 'node:net';
import type { WebhookChannel } from '@tidemark/core';
import { type Address, addressOf } from './addresses.ts';
import { bodyOf } from './content.ts';
import { addressRefused, type Deliver, type Refused } from './delivery.ts';

const MAX_REDIRECTS = 3;
/** Answers of the 400s that ask for another try: too slow, too early, too many. */
const passing = [408, 425, 429];

interface WebhookOptions {
  channel: WebhookChannel;
  privateHosts: readonly string[];
}

/** A channel that posts to an address. Redirects are followed on the same scheme, host and port alone. */
export function webhook({ channel, privateHosts }: WebhookOptions): Deliver {
  return async (notice, signal) => {
    let url = new URL(channel.url);
    const { hostname, origin } = url;
    const address = await addressOf(hostname, { privateHosts, signal });
    if (address === undefined) return addressRefused(hostname);
    const body = bodyOf(notice.content, channel.body);
    for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects += 1) {
      const headers = headersOf(channel, { key: notice.key, body });
      const { status, location } = await post(url, { address, headers, body, signal });
      if (location === undefined) return refusalOf(status);
      const next = URL.canParse(location, url) ? new URL(location, url) : undefined;
      if (next?.origin !== origin)
        return { reason: 'redirected', detail: `answered ${status}, to another host` };
      next.username = url.username;
      next.password = url.password;
      url = next;
    }
    return { reason: 'redirected', detail: `answered with more than ${MAX_REDIRECTS} redirects in a row` };
  };
}

function refusalOf(status: number): Refused | undefined {
  if (status >= 200 && status < 300) return undefined;
  const detail = `answered ${status}`;
  if (status >= 500 || passing.includes(status)) throw new Error(detail);
  return { reason: 'refused', detail };
}

/** The receiver computes the signature over time, a dot and body anew, and refuses times that are not of now. */
function headersOf(
  { headers, secret }: WebhookChannel,
  { key, body }: { key: string; body: string },
): Record<string, string | number> {
  const timeS = Math.floor(Date.now() / 1000);
  const type = isJson(body) ? 'application/json' : 'text/plain; charset=utf-8';
  const names = Object.keys(headers).map((name) => name.toLowerCase());
  return {
    ...(names.includes('content-type') ? {} : { 'content-type': type }),
    ...(names.includes('user-agent') ? {} : { 'user-agent': 'tidemark' }),
    ...headers,
    'content-length': Buffer.byteLength(body),
    'idempotency-key': key,
    ...(secret && { 'tidemark-signature': `t=${timeS},v1=${signatureOf(secret, `${timeS}.${body}`)}` }),
  };
}

function isJson(body: string): boolean {
  try {
    JSON.parse(body);
    return true;
  } catch {
    return false;
  }
}

function signatureOf(secret: string, text: string): string {
  return createHmac('sha256', secret).update(text).digest('hex');
}

interface Request {
  address: Address;
  headers: Record<string, string | number>;
  body: string;
  signal: AbortSignal;
}

/** Status and, of a redirect, where to. What else the other side has to say is not read. */
function post(
  url: URL,
  { address, headers, body, signal }: Request,
): Promise<{ status: number; location: string | undefined }> {
  const { request } = url.protocol === 'https:' ? https : http;
  const lookup: LookupFunction = (_host, { all }, done) =>
    all ? done(null, [address]) : done(null, address.address, address.family);
  const { promise, resolve, reject } = Promise.withResolvers<{
    status: number;
    location: string | undefined;
  }>();
  const asked = request(url, { method: 'POST', headers, signal, agent: false, lookup }, (response) => {
    const status = response.statusCode ?? 0;
    const isRedirect = status >= 300 && status < 400;
    resolve({ status, location: isRedirect ? response.headers.location : undefined });
    response.destroy();
  });
  asked.on('error', reject);
  asked.end(body);
  return promise;
}
