import { connect } from 'node:net';
import { Client, credentials, Metadata } from '@grpc/grpc-js';
import { messageOf } from '@tidemark/core';

/** An address that is looked at. */
export interface Check {
  service: string;
  /** `tcp://host:port`, `http(s)://…`, `grpc(s)://host:port[/service]`. */
  url: URL;
}

/** Reads `NAME=URL`. */
export function readCheck(text: string): Check {
  const cut = text.indexOf('=');
  return { service: text.slice(0, cut), url: new URL(text.slice(cut + 1)) };
}

/** Looks whether there is somebody; resolves with what is wrong, undefined when nothing is. */
export async function probe({ url }: Check, timeoutMs: number): Promise<string | undefined> {
  try {
    if (url.protocol === 'tcp:') return await probeTcp(url, timeoutMs);
    if (url.protocol === 'http:' || url.protocol === 'https:') return await probeHttp(url, timeoutMs);
    return await probeGrpc(url, timeoutMs);
  } catch (error) {
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
    return messageOf(cause);
  }
}

function probeTcp({ hostname, port }: URL, timeoutMs: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    // An IPv6 address stands in brackets in a URL.
    const socket = connect({
      host: hostname.replace(/^\[|\]$/g, ''),
      port: Number(port),
      timeout: timeoutMs,
    });
    const end = (problem: string | undefined) => {
      socket.destroy();
      resolve(problem);
    };
    socket.once('connect', () => end(undefined));
    socket.once('timeout', () => end(`no connection within ${timeoutMs} ms`));
    socket.once('error', (error) => end(error.message));
  });
}

/** Any answer below 400 is well. */
async function probeHttp(url: URL, timeoutMs: number): Promise<string | undefined> {
  const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs), redirect: 'manual' });
  await response.body?.cancel();
  return response.status < 400 ? undefined : `HTTP ${response.status}`;
}

/** The standard health service, grpc.health.v1.Health: field 1 of the request is the service, of the answer its state. */
function probeGrpc({ protocol, host, pathname }: URL, timeoutMs: number): Promise<string | undefined> {
  const secure = protocol === 'grpcs:' ? credentials.createSsl() : credentials.createInsecure();
  const client = new Client(host, secure);
  const serving = 1;
  return new Promise<string | undefined>((resolve) => {
    client.makeUnaryRequest(
      '/grpc.health.v1.Health/Check',
      (service: string) => Buffer.concat([Buffer.from([0x0a, service.length]), Buffer.from(service)]),
      (bytes: Buffer) => (bytes[0] === 0x08 ? bytes[1] : 0),
      decodeURIComponent(pathname.slice(1)).slice(0, 127),
      new Metadata(),
      { deadline: Date.now() + timeoutMs },
      (error, state) => {
        if (error) resolve(error.details || error.message);
        else resolve(state === serving ? undefined : `health state ${state}`);
      },
    );
  }).finally(() => client.close());
}
