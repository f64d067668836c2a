import { parseJson, TidemarkError } from '@tidemark/core';
import { ask } from '../ask.ts';
import { connectMqtt } from '../connect-mqtt.ts';
import type { HttpConnection, MqttConnection } from '../connection.ts';
import type { Finding } from './findings.ts';

/** A message as it was published, or as it would be. */
export interface Message {
  topic: string;
  payload: Uint8Array;
}

/** What the platform says of it. */
export interface Trace {
  outcome: string;
  stopsAt: string | null;
  steps: { step: string; status: Finding['status']; message: string; hint: string | null }[];
  readings: Record<string, unknown>[];
  rejected: { index: number; code: string; detail: string }[];
}

/** Asks what would become of the message; `user` publishes it. */
export async function traceOf(
  connection: HttpConnection,
  { topic, payload }: Message,
  user: string | undefined,
): Promise<Trace> {
  const body = { topic, payloadBase64: Buffer.from(payload).toString('base64'), user };
  return parseJson(await ask(connection, { method: 'POST', path: 'trace', body })) as Trace;
}

/**
 * The next message on a topic, or on any that the filter matches; undefined when the signal aborts first. One that the
 * broker has kept is passed over: it was not published now. Throws where the broker cannot be reached.
 */
export async function nextMessage(
  connection: MqttConnection,
  filter: string,
  signal: AbortSignal,
): Promise<Message | undefined> {
  const client = await connectMqtt(connection);
  try {
    const message = new Promise<Message | undefined>((resolve, reject) => {
      client.on('message', (topic, payload, { retain }) => {
        if (!retain) resolve({ topic, payload });
      });
      client.once('close', () =>
        reject(new TidemarkError('unavailable', 'the broker has closed the connection')),
      );
      client.on('error', reject);
      if (signal.aborted) resolve(undefined);
      signal.addEventListener('abort', () => resolve(undefined), { once: true });
    });
    // It may fail while the subscription is waited for, which fails then as well.
    message.catch(() => {});
    const [granted] = await client.subscribeAsync(filter, { qos: 1 });
    if ((granted?.qos ?? 0) > 2)
      throw new TidemarkError('bad_request', `the broker refuses a subscription to ${filter}`);
    return await message;
  } finally {
    client.removeAllListeners('close');
    client.end(true);
  }
}
