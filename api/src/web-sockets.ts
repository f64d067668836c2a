import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { TidemarkError } from '@tidemark/core';
import { type WebSocket, WebSocketServer } from 'ws';
import type { ApiApp } from './app.ts';
import { problemOf } from './problem.ts';

/** Nothing that clients say is listened to, but pings and the goodbye. */
const MAX_MESSAGE_BYTES = 4096;
/** What a browser offers beside its token, since a subprotocol has to be chosen. */
const PROTOCOL = 'tidemark';

/** What a route finds with a request that asks for a WebSocket. */
export interface AskedWebSocket {
  /** Answers with one. `onGone` is called when the connection is closed, also where no WebSocket came of it. */
  take(serve: (socket: WebSocket) => void, onGone: () => void): void;
}

/**
 * WebSockets of the app's own routes: the request goes through the app as any other does, with the same checks, and the
 * route takes the connection; else it is answered as HTTP.
 */
export class WebSockets {
  readonly #app: ApiApp;
  readonly #server = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_MESSAGE_BYTES,
    perMessageDeflate: false,
    handleProtocols: (offered) => offered.has(PROTOCOL) && PROTOCOL,
  });

  constructor(app: ApiApp) {
    this.#app = app;
  }

  /** Cuts off those who have not taken their goodbye. */
  terminate(): void {
    for (const client of this.#server.clients) client.terminate();
  }

  async upgrade(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    stopping: AbortSignal,
  ): Promise<void> {
    let serve: ((socket: WebSocket) => void) | undefined;
    const webSocket: AskedWebSocket = {
      take: (given, onGone) => {
        serve = given;
        if (socket.destroyed) onGone();
        else socket.once('close', onGone);
      },
    };
    const asked = toRequest(request);
    const response =
      asked === undefined ? problemOf(notValid()) : await this.#app.fetch(asked, { stopping, webSocket });
    if (serve !== undefined) return this.#server.handleUpgrade(request, socket, head, serve);
    // What is no problem is a route that has nothing to say by a WebSocket.
    if (response.ok) await response.body?.cancel();
    await answer(socket, response.ok ? problemOf(noWebSocket(request)) : response);
  }
}

/** The upgrade as the app sees requests; undefined when it cannot be one. */
function toRequest({ method, url, headers }: IncomingMessage): Request | undefined {
  const address = URL.parse(url ?? '', `http://${headers.host}`);
  if (method !== 'GET' || address === null) return undefined;
  const names = Object.entries(headers).map(([name, value]) => [name, String(value)] as [string, string]);
  return new Request(address, { headers: names });
}

async function answer(socket: Duplex, response: Response): Promise<void> {
  const body = await response.text();
  const { status, headers } = response;
  headers.set('connection', 'close');
  headers.set('content-length', String(Buffer.byteLength(body)));
  const lines = [...headers].map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} \r\n${lines.join('')}\r\n${body}`, () => socket.destroy());
}

function notValid(): TidemarkError {
  return new TidemarkError('bad_request', 'a WebSocket is asked for by GET, of a path');
}

function noWebSocket({ url }: IncomingMessage): TidemarkError {
  return new TidemarkError('not_found', `${url?.split('?')[0]} answers no WebSocket`);
}
