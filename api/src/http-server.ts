import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { getRequestListener } from '@hono/node-server';
import { type Config, createHostPolicy, TidemarkError } from '@tidemark/core';
import type { ApiApp } from './app.ts';
import { problemOf } from './problem.ts';
import { WebSockets } from './web-sockets.ts';

/** Takes over a connection that asked for an upgrade; the Host and Origin checks have passed. */
type UpgradeHandler = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

// Requests that are being answered get this long; live streams are told to end at once.
const stopGraceMs = 1500;
const sweepIntervalMs = 25;

/** The HTTP listener of one process. */
export class HttpServer {
  readonly #config: Pick<Config, 'host' | 'http'>;
  readonly #app: ApiApp;
  readonly #upgrades = new Map<string, UpgradeHandler>();
  readonly #webSockets: WebSockets;
  readonly #upgraded = new Set<Duplex>();
  readonly #stopping = new AbortController();
  #server: Server | undefined;

  constructor({ config, app }: { config: Pick<Config, 'host' | 'http'>; app: ApiApp }) {
    this.#config = config;
    this.#app = app;
    this.#webSockets = new WebSockets(app);
  }

  /** The port it listens on; 0 before `start`. */
  get port(): number {
    return (this.#server?.address() as AddressInfo | null | undefined)?.port ?? 0;
  }

  /** Hands upgrade requests for a path (`/mqtt`) to a handler, not to the app; call it before `start`. */
  onUpgrade(path: string, handler: UpgradeHandler): void {
    this.#upgrades.set(path, handler);
  }

  /** Listens; throws `address_in_use` when another process does already. */
  async start(): Promise<void> {
    const { host, http } = this.#config;
    const stopping = this.#stopping.signal;
    const listener = getRequestListener((request) => this.#app.fetch(request, { stopping }), {
      overrideGlobalObjects: false,
      errorHandler: () =>
        problemOf(new TidemarkError('bad_request', 'the request line or its Host is not valid')),
    });
    const server = createServer(listener);
    server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) => reject(toListenError(error, host, http.port)));
      server.listen(http.port, host, resolve);
    });
    this.#server = server;
  }

  /** Ends live streams and upgraded connections, lets requests finish for a moment, then closes what is left. */
  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    this.#stopping.abort();
    const closed = new Promise((resolve) => server.close(resolve));
    // Node waits for upgraded connections too, and leaves closing them to whoever took them.
    for (const socket of this.#upgraded) socket.destroy();
    // A connection that is kept alive becomes idle only when its answer has ended.
    const sweep = setInterval(() => server.closeIdleConnections(), sweepIntervalMs);
    const deadline = setTimeout(() => {
      server.closeAllConnections();
      this.#webSockets.terminate();
    }, stopGraceMs);
    await closed;
    clearInterval(sweep);
    clearTimeout(deadline);
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy());
    const { host, origin } = request.headers;
    const handler = this.#upgrades.get(request.url?.split('?')[0] ?? '');
    if (createHostPolicy(this.#config)(host, origin) !== undefined) {
      socket.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n', () =>
        socket.destroy(),
      );
      return;
    }
    if (handler === undefined) {
      this.#webSockets
        .upgrade(request, socket, head, this.#stopping.signal)
        .catch((error: unknown) => socket.destroy(error instanceof Error ? error : undefined));
      return;
    }
    this.#upgraded.add(socket);
    socket.once('close', () => this.#upgraded.delete(socket));
    handler(request, socket, head);
  }
}

function toListenError(error: NodeJS.ErrnoException, host: string, port: number): Error {
  if (error.code === 'EADDRINUSE') {
    const message = `HTTP port ${port} on ${host} is in use by another process; set TIDEMARK_HTTP_PORT to another one`;
    return new TidemarkError('address_in_use', message, { cause: error });
  }
  if (error.code === 'EACCES' || error.code === 'EADDRNOTAVAIL') {
    const message = `cannot listen for HTTP on ${host} port ${port}: ${error.code}`;
    return new TidemarkError('config_invalid', message, { cause: error });
  }
  return error;
}
