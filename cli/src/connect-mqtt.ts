import { TidemarkError } from '@tidemark/core';
import { connect, type MqttClient } from 'mqtt';
import type { MqttConnection } from './connection.ts';

const connectTimeoutMs = 10_000;
// CONNACK codes that no retry heals: protocol, client id, user or password, not authorized (3.1.1, then 5).
const finalRefusals = new Set([1, 2, 4, 5, 0x84, 0x85, 0x86, 0x87, 0x8a, 0x8c]);
const credentialRefusals = new Set([4, 5, 0x86, 0x87]);

/** Connects once; throws `unavailable` or `unauthorized` when the broker cannot be reached or lets nobody in. */
export async function connectMqtt({ url, username, password }: MqttConnection): Promise<MqttClient> {
  // mqtt.js would resend one message at a time; who reconnects resends the whole window at once.
  const client = connect(url, {
    reconnectPeriod: 0,
    connectTimeout: connectTimeoutMs,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
  });
  try {
    await connected(client, url);
    return client;
  } catch (error) {
    client.end(true);
    throw error;
  }
}

function connected(client: MqttClient, url: string): Promise<void> {
  return new Promise((resolve, reject) => {
    client.once('connect', () => resolve());
    client.once('error', (error) => reject(connectFailure(url, error)));
    client.once('close', () => reject(connectFailure(url, new Error('the connection was closed'))));
  });
}

function connectFailure(secretUrl: string, error: Error): TidemarkError {
  const url = secretUrl.replace(/\/\/[^/@]*@/, '//');
  const reason = 'code' in error && typeof error.code === 'number' ? error.code : undefined;
  if (reason !== undefined && credentialRefusals.has(reason)) {
    const message = `${url} refuses the user name or password; give --username and --password`;
    return new TidemarkError('unauthorized', message, { cause: error });
  }
  const isFinal = reason !== undefined && finalRefusals.has(reason);
  const detail = error.message || String((error as NodeJS.ErrnoException).code);
  const message = `cannot reach a broker at ${url} (${detail}); is Tidemark running there (npm start)?`;
  return new TidemarkError('unavailable', message, { cause: error, retryable: !isFinal });
}
