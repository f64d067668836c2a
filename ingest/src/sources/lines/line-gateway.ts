import { readFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { createServer as createTlsServer } from 'node:tls';
import {
  type Acceptor,
  type Access,
  type Clock,
  type Config,
  messageOf,
  type PartHealth,
  type Registry,
  TidemarkError,
} from '@tidemark/core';
import { LineConnection } from './line-connection.ts';
import { LineMetrics } from './metrics.ts';

const CHECK_EVERY_MS = 500;
/** How long lines that were taken have to get their answers when the platform stops. */
const STOP_GRACE_MS = 1000;
const HANDSHAKE_MS = 10_000;

interface LineGatewayOptions {
  config: Pick<Config, 'host'> & { lines: Config['lines'] };
  acceptor: Acceptor;
  access: Access;
  clock: Clock;
  metrics: Registry;
}

/** A TCP port for devices that speak lines: one JSON object or one line of line protocol each, answered by its number. */
export class LineGateway {
  readonly #options: LineGatewayOptions;
  readonly #metrics: LineMetrics;
  readonly #connections = new Map<Socket, LineConnection>();
  /** Those too that are still shaking hands for TLS. */
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: LineGatewayOptions) {
    this.#options = options;
    this.#metrics = new LineMetrics(options.metrics, () => this.#connections.size);
  }

  /** The port it listens on; throws before `start`. */
  get port(): number {
    const address = this.#server?.address();
    if (!address || typeof address === 'string') throw new Error('the gateway for lines does not listen');
    return address.port;
  }

  /** Listens; throws `address_in_use` when another process does already, `config_invalid` for what it cannot use. */
  async start(): Promise<void> {
    const { host, lines } = this.#options.config;
    const server = serverOf(lines, (socket) => this.#serve(socket));
    server.maxConnections = lines.maxConnections;
    server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    server.on('drop', () => this.#metrics.refuse('limit'));
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error: NodeJS.ErrnoException) => reject(toListenError(error, host, lines.port)));
      server.listen(Number(lines.port), host, resolve);
    });
    this.#server = server;
    this.#timer = setInterval(() => this.#closeTheStuck(), CHECK_EVERY_MS);
  }

  /** Takes no more lines; what was taken is answered first, for a second at most. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    const server = this.#server;
    if (server === undefined) return;
    const closed = new Promise((resolve) => server.close(resolve));
    for (const connection of this.#connections.values()) connection.finish();
    await Promise.race([closed, delay(STOP_GRACE_MS, undefined, { ref: false })]);
    for (const socket of this.#sockets) socket.destroy();
    await closed;
    this.#server = undefined;
  }

  health(): PartHealth {
    const isUp = this.#server?.listening === true;
    const message = isUp ? `port ${this.port}, ${this.#connections.size} connections` : 'not listening';
    return { name: 'lines', status: isUp ? 'pass' : 'fail', message };
  }

  #serve(socket: Socket): void {
    const { acceptor, access, clock, config } = this.#options;
    const connection = new LineConnection({
      socket,
      acceptor,
      checkToken: (token) => access.checkToken(token),
      isTokenRequired: access.isRequired,
      limits: config.lines,
      metrics: this.#metrics,
      monotonicMs: () => clock.monotonicMs(),
    });
    this.#connections.set(socket, connection);
    socket.setTimeout(config.lines.idleMs);
    socket.once('timeout', () => {
      this.#metrics.refuse('idle');
      socket.destroy();
    });
    // The peer went away; what it has no answer to, it sends again.
    socket.on('error', () => socket.destroy());
    socket.once('close', () => this.#connections.delete(socket));
  }

  #closeTheStuck(): void {
    const nowMs = this.#options.clock.monotonicMs();
    for (const connection of this.#connections.values()) connection.closeIfStuck(nowMs);
  }
}

/** Half of a connection may end: a file that was sent to the end is answered to the end. */
function serverOf({ tlsCert, tlsKey }: Config['lines'], serve: (socket: Socket) => void): Server {
  const options = { allowHalfOpen: true, noDelay: true };
  if (tlsCert === '' && tlsKey === '') return createServer(options, serve);
  try {
    return createTlsServer(
      { ...options, handshakeTimeout: HANDSHAKE_MS, cert: readFileSync(tlsCert), key: readFileSync(tlsKey) },
      serve,
    );
  } catch (error) {
    const message = `TLS for lines takes the files TIDEMARK_LINES_TLS_CERT and TIDEMARK_LINES_TLS_KEY: ${messageOf(error)}`;
    throw new TidemarkError('config_invalid', message, { cause: error });
  }
}

function toListenError(cause: NodeJS.ErrnoException, host: string, port: number | string): TidemarkError {
  const isTaken = cause.code === 'EADDRINUSE';
  const message = isTaken
    ? `lines port ${port} on ${host} is in use by another process; set TIDEMARK_LINES_PORT to another, or 0 for any`
    : `cannot listen for lines on ${host} port ${port}: ${cause.message}`;
  return new TidemarkError(isTaken ? 'address_in_use' : 'config_invalid', message, { cause });
}
