import { createHash, timingSafeEqual } from 'node:crypto';
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
// Not the whole of core, which takes 40 MB.
import { createHostPolicy, type HostPolicy } from '@tidemark/core/host-policy';
import type { ChildSettings, Login } from '../messages.ts';

type FrontDoorSettings = Pick<ChildSettings, 'host' | 'port' | 'allowedHosts' | 'login'>;

/**
 * The listener in front of Node-RED. What names another host, or comes from a foreign page, gets no further, by HTTP
 * and by WebSocket. `inner` is the server that Node-RED is given: it listens nowhere, and gets what was let in.
 */
export class FrontDoor {
  readonly inner = new Server();
  readonly #settings: FrontDoorSettings;
  readonly #policy: HostPolicy;
  readonly #outer: Server;
  #handle: RequestListener = sayStarting;

  constructor(settings: FrontDoorSettings) {
    const { host, allowedHosts } = settings;
    this.#settings = settings;
    this.#policy = createHostPolicy({ host, http: { allowedHosts: [...allowedHosts] } });
    this.#outer = createServer((request, response) => this.#onRequest(request, response));
    this.#outer.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) =>
      this.#onUpgrade(request, socket, head),
    );
  }

  /** Listens and answers the port; throws a sentence that says what to do when it cannot. */
  async open(): Promise<number> {
    const { host, port } = this.#settings;
    await new Promise<void>((resolve, reject) => {
      this.#outer.once('error', (error) => reject(new Error(listenProblem(error, host, port))));
      this.#outer.listen(port, host, resolve);
    });
    return (this.#outer.address() as AddressInfo).port;
  }

  /** Hands requests on from now on; until then they are told that Node-RED is starting. */
  serve(handle: RequestListener): void {
    this.#handle = handle;
  }

  /** True where no login is asked for, or the request brings it (Basic). */
  isAllowed(request: IncomingMessage): boolean {
    const { login } = this.#settings;
    const [, encoded] = /^Basic +(\S+)$/i.exec(request.headers.authorization ?? '') ?? [];
    if (login === undefined) return true;
    if (encoded === undefined) return false;
    const [, username = '', password = ''] =
      /^([^:]*):(.*)$/s.exec(Buffer.from(encoded, 'base64').toString()) ?? [];
    return isLogin(login, username, password);
  }

  close(): void {
    this.#outer.close();
    this.#outer.closeAllConnections();
  }

  #onRequest(request: IncomingMessage, response: ServerResponse): void {
    const refusal = this.#policy(request.headers.host, request.headers.origin);
    if (refusal === undefined) this.#handle(request, response);
    else say(response, 403, refusal);
  }

  #onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy());
    const refusal = this.#policy(request.headers.host, request.headers.origin);
    if (refusal === undefined && this.inner.listenerCount('upgrade') > 0) {
      this.inner.emit('upgrade', request, socket, head);
      return;
    }
    const status = refusal === undefined ? '503 Service Unavailable' : '403 Forbidden';
    socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`, () =>
      socket.destroy(),
    );
  }
}

/** True when name and password are the login's; takes as long for every wrong one. */
export function isLogin(login: Login, username: string, password: string): boolean {
  const hash = createHash('sha256').update(password).digest();
  return timingSafeEqual(hash, Buffer.from(login.passwordHash, 'hex')) && username === login.username;
}

/** Answers with a line of text. */
export function say(response: ServerResponse, status: number, text: string, headers = {}): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', ...headers }).end(`${text}\n`);
}

function sayStarting(_request: IncomingMessage, response: ServerResponse): void {
  say(response, 503, 'Node-RED is starting', { 'retry-after': '1' });
}

function listenProblem(error: NodeJS.ErrnoException, host: string, port: number): string {
  return error.code === 'EADDRINUSE'
    ? `port ${port} on ${host} is in use by another process; stop it, or choose another port with TIDEMARK_FLOWS_PORT`
    : `cannot listen on ${host} port ${port} (TIDEMARK_FLOWS_PORT): ${error.message}`;
}
