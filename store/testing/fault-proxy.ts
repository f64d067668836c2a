import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { createGunzip } from 'node:zlib';

/** Takes over a request, or returns false to let it through. */
type Fault = (request: { path: string; body: string }, response: ServerResponse) => boolean;

/** An HTTP proxy before a real server, to make the faults that the server cannot be brought to. */
export interface FaultProxy {
  url: string;
  fault: Fault | undefined;
  /** Requests seen, by path without its query. */
  seen: string[];
  stop(): Promise<void>;
}

export async function startFaultProxy(targetUrl: string): Promise<FaultProxy> {
  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => response.destroy(error as Error));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no address');
  const proxy: FaultProxy = {
    url: `http://127.0.0.1:${address.port}`,
    fault: undefined,
    seen: [],
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return proxy;

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const isGzip = request.headers['content-encoding'] === 'gzip';
    const body = await text(isGzip ? request.pipe(createGunzip()) : request);
    const path = request.url ?? '';
    proxy.seen.push(path.split('?')[0]!);
    if (proxy.fault?.({ path, body }, response)) return;
    const answer = await fetch(`${targetUrl}${path}`, {
      method: request.method ?? 'GET',
      headers: {
        authorization: request.headers.authorization ?? '',
        'content-type': request.headers['content-type'] ?? '',
      },
      ...(body !== '' && { body }),
    });
    response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? 'text/plain' });
    response.end(await answer.text());
  }
}
