import { once } from 'node:events';
import { type AddressInfo, createConnection, createServer, type Socket } from 'node:net';
import type { Bench } from './bench.ts';

/** How long answers are held back before the connection is cut: requests still arrive. */
const DEAF_MS = 60;

interface CuttingProxy {
  /** The target's URL by way of the proxy. */
  url: string;
  /** Connections that were cut while their answers were held back. */
  cuts(): number;
}

/**
 * Stands between clients and a server, and cuts each connection `lifeMs()` after it was made: what the server
 * answered in the last moments never reaches the client, as on a bad network.
 */
export async function cuttingProxy(
  bench: Bench,
  target: string,
  lifeMs: () => number,
): Promise<CuttingProxy> {
  const { hostname, port, protocol } = new URL(target);
  let cuts = 0;
  const open = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = createConnection({ host: hostname, port: Number(port) });
    let isDeaf = false;
    const end = (): void => {
      client.destroy();
      upstream.destroy();
      open.delete(client);
    };
    open.add(client);
    client.on('data', (bytes) => upstream.write(bytes));
    upstream.on('data', (bytes) => {
      if (!isDeaf) client.write(bytes);
    });
    for (const socket of [client, upstream]) socket.on('error', () => {}).on('close', end);
    const deafen = setTimeout(() => {
      isDeaf = true;
      const cut = setTimeout(() => {
        cuts++;
        end();
      }, DEAF_MS);
      client.once('close', () => clearTimeout(cut));
    }, lifeMs());
    client.once('close', () => clearTimeout(deafen));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  bench.defer(() => {
    server.close();
    for (const socket of open) socket.destroy();
  });
  return { url: `${protocol}//127.0.0.1:${(server.address() as AddressInfo).port}`, cuts: () => cuts };
}
