import { TidemarkError } from '@tidemark/core';
import type { MqttClient } from 'mqtt';
import { connectMqtt } from './connect-mqtt.ts';
import type { MqttConnection } from './connection.ts';

const goodbyeTimeoutMs = 1000;
const firstRetryMs = 200;
const longestRetryMs = 5000;

interface Message {
  topic: string;
  payload: string | Buffer;
}

interface PublisherParts {
  connection: MqttConnection;
  qos: 0 | 1 | 2;
  /** Most messages that may be unacknowledged; `publish` waits beyond it. */
  maxInFlight: number;
  isRetained?: boolean;
  /** Called when a connection is lost, before the first try to get it back. */
  onConnectionLost?: () => void;
}

/**
 * Publishes at least once (QoS 1 and 2) through broker restarts: whatever was not acknowledged is sent
 * again, in order, on the next connection. The first connection must succeed.
 */
export class Publisher {
  /** Messages handed to `publish`. */
  published = 0;
  /** Messages the broker acknowledged; with QoS 0, those that were written to the socket. */
  acknowledged = 0;
  /** Times the connection was lost. */
  reconnects = 0;
  readonly #parts: PublisherParts;
  readonly #pending = new Map<number, Message>();
  #client: MqttClient | undefined;
  #failure: Error | undefined;
  #isStopping = false;
  #retryTimer: NodeJS.Timeout | undefined;
  #wakers: (() => void)[] = [];

  constructor(parts: PublisherParts) {
    this.#parts = parts;
  }

  get isConnected(): boolean {
    return this.#client?.connected ?? false;
  }

  /** Connects; throws `unavailable` or `unauthorized` when the broker cannot be reached or lets nobody in. */
  async start(): Promise<void> {
    await this.#connect();
  }

  /**
   * Hands a message over, waiting while too many are unacknowledged; gives up when the signal aborts.
   * Throws what ended the connection for good.
   */
  async publish(topic: string, payload: string | Buffer, signal?: AbortSignal): Promise<void> {
    const hasRoom = () => this.#pending.size < this.#parts.maxInFlight;
    if (!hasRoom()) await this.#until(hasRoom, signal);
    if (this.#failure) throw this.#failure;
    if (signal?.aborted || this.#isStopping) return;
    const sequence = this.published++;
    const message = { topic, payload };
    this.#pending.set(sequence, message);
    if (this.isConnected) this.#send(sequence, message);
  }

  /** Resolves when everything is acknowledged, or when the signal aborts. */
  async drain(signal?: AbortSignal): Promise<void> {
    await this.#until(() => this.#pending.size === 0, signal);
    if (this.#failure && this.#pending.size > 0) throw this.#failure;
  }

  /** Disconnects; what is not acknowledged by now is given up. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    clearTimeout(this.#retryTimer);
    this.#wake();
    const client = this.#client;
    this.#client = undefined;
    if (client === undefined) return;
    // A broker that stopped reading never closes its side.
    const timer = setTimeout(() => client.stream.destroy(), goodbyeTimeoutMs);
    await client.endAsync(this.#pending.size > 0 || !client.connected);
    clearTimeout(timer);
  }

  async #connect(): Promise<void> {
    const client = await connectMqtt(this.#parts.connection);
    if (this.#isStopping) return void client.end(true);
    this.#client = client;
    client.on('error', () => undefined);
    client.once('close', () => this.#onClose());
    for (const [sequence, message] of this.#pending) this.#send(sequence, message);
    this.#wake();
  }

  #send(sequence: number, { topic, payload }: Message): void {
    const { qos, isRetained = false } = this.#parts;
    this.#client?.publish(topic, payload, { qos, retain: isRetained }, (error) => {
      // A message whose connection was lost stays pending; the next connection sends it again.
      if (error || !this.#pending.delete(sequence)) return;
      this.acknowledged += 1;
      this.#wake();
    });
  }

  #onClose(): void {
    this.#client = undefined;
    if (this.#isStopping) return;
    this.reconnects += 1;
    this.#parts.onConnectionLost?.();
    this.#retryAfter(firstRetryMs);
  }

  #retryAfter(delayMs: number): void {
    this.#retryTimer = setTimeout(() => {
      this.#connect().catch((error: unknown) => {
        if (this.#isStopping) return;
        if (error instanceof TidemarkError && error.retryable) {
          return this.#retryAfter(Math.min(delayMs * 2, longestRetryMs));
        }
        this.#failure = error as Error;
        this.#wake();
      });
    }, delayMs);
  }

  async #until(isMet: () => boolean, signal?: AbortSignal): Promise<void> {
    const wake = () => this.#wake();
    signal?.addEventListener('abort', wake);
    while (!isMet() && !this.#failure && !this.#isStopping && !signal?.aborted) {
      await new Promise<void>((resolve) => this.#wakers.push(resolve));
    }
    signal?.removeEventListener('abort', wake);
  }

  #wake(): void {
    const wakers = this.#wakers;
    this.#wakers = [];
    for (const wake of wakers) wake();
  }
}
