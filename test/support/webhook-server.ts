import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';

export interface WebhookCall {
  /** The `Idempotency-Key`. */
  key: string;
  headers: IncomingHttpHeaders;
  body: string;
}

/** A receiver of webhooks on loopback, until the test ends; without `answer` it takes everything. */
export async function startWebhookServer(
  answer: (response: ServerResponse, call: WebhookCall) => void = (response) => void response.end(),
): Promise<{ url: string; calls: WebhookCall[] }> {
  const calls: WebhookCall[] = [];
  const server = createServer(async (request, response) => {
    const body = await text(request);
    const { headers } = request;
    const call = { key: String(headers['idempotency-key']), headers, body };
    calls.push(call);
    answer(response, call);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, calls };
}
