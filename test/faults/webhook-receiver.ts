import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { Bench } from './bench.ts';

/** A notification that came. */
export interface Received {
  key: string;
  body: string;
  /** False where the sender was told that it was not taken, or nothing. */
  isTaken: boolean;
}

/** Takes webhooks, most of them: some it answers with 500, of some it drops the connection. */
export async function startReceiver(bench: Bench): Promise<{ url: string; received: Received[] }> {
  const received: Received[] = [];
  const server = createServer(async (request, response) => {
    const body = await text(request).catch(() => undefined);
    if (body === undefined) return;
    const chance = bench.random();
    const isTaken = chance > 0.1;
    received.push({ key: String(request.headers['idempotency-key']), body, isTaken });
    if (isTaken) response.end();
    else if (chance > 0.05) response.writeHead(500).end();
    else response.destroy();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  bench.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, received };
}
