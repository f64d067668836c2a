import { once } from 'node:events';
import { createServer, type IncomingMessage, request as requestOf, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** What the gate does with requests that come from now on. */
export type GateMode =
  | { kind: 'pass' }
  /** Every write takes so long before it reaches the server; all else passes. */
  | { kind: 'slow'; writeMs: number }
  /** Answers in the server's place. */
  | { kind: 'answer'; status: number; headers?: Record<string, string> }
  /** Takes requests and answers none; its end breaks their connections. */
  | { kind: 'hang' };

const writePath = '/api/v2/write';

/** Stands before an HTTP store and makes it ill, as a proxy or the store itself may be; bodies pass unread. */
export class StoreGate {
  readonly #target: URL;
  readonly #server = createServer((request, response) => void this.#handle(request, response));
  #mode: GateMode = { kind: 'pass' };
  readonly #hanging = new Set<ServerResponse>();

  private constructor(targetUrl: string) {
    this.#target = new URL(targetUrl);
  }

  static async open(targetUrl: string): Promise<StoreGate> {
    const gate = new StoreGate(targetUrl);
    gate.#server.listen(0, '127.0.0.1');
    await once(gate.#server, 'listening');
    return gate;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  set(mode: GateMode): void {
    this.#mode = mode;
    for (const response of this.#hanging) response.destroy();
    this.#hanging.clear();
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const mode = this.#mode;
    const isWrite = request.url?.startsWith(writePath) === true;
    if (mode.kind === 'hang') {
      this.#hanging.add(response);
      return void request.resume();
    }
    if (mode.kind === 'answer') {
      request.resume();
      response.writeHead(mode.status, { 'content-type': 'application/json', ...mode.headers });
      return void response.end('{"code":"unavailable","message":"made by the gate"}');
    }
    if (mode.kind === 'slow' && isWrite) await delay(mode.writeMs);
    this.#pass(request, response);
  }

  #pass(request: IncomingMessage, response: ServerResponse): void {
    const { hostname, port } = this.#target;
    const { method, url: path, headers } = request;
    const upstream = requestOf({ hostname, port, method, path, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
      answer.on('error', () => response.destroy());
    });
    // As a client sees it when the server's own port refuses, or its connection breaks.
    upstream.on('error', () => response.destroy());
    response.on('close', () => upstream.destroy());
    request.pipe(upstream);
  }
}
