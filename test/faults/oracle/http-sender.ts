import { setTimeout as delay } from 'node:timers/promises';
import type { Load } from './load.ts';
import type { Message, Tally } from './tally.ts';

const RETRY_AFTER_MS = 100;
const MAX_RETRY_AFTER_MS = 5000;
const REQUEST_TIMEOUT_MS = 30_000;

/** Posts one message after the other, each until it is answered by 200. */
export class HttpSender {
  readonly sensor: string;
  sent = 0;
  isIdle = true;
  readonly #load: Load;
  readonly #tally: Tally;

  constructor(sensor: string, load: Load, tally: Tally) {
    this.sensor = sensor;
    this.#load = load;
    this.#tally = tally;
  }

  start(): void {
    this.#tally.progress.connected++;
  }

  pump(): void {
    if (this.isIdle) void this.#run();
  }

  end(): void {
    this.isIdle = true;
  }

  async #run(): Promise<void> {
    this.isIdle = false;
    for (let message = this.#draw(); message; message = this.#draw()) {
      for (let retryMs = await this.#post(message); retryMs !== 0; retryMs = await this.#post(message)) {
        this.#tally.progress.resent++;
        await delay(retryMs);
      }
      this.#tally.acknowledge(this.sensor, [message]);
    }
    this.isIdle = true;
  }

  #draw(): Message | undefined {
    const message = this.#tally.draw(this.sent);
    if (message) this.sent += message.count;
    return message;
  }

  /** Readings that bring no time are safe to send again only when the request is known again. */
  #keyOf({ first }: Message): Record<string, string> {
    return this.#load.time === 'server' ? { 'idempotency-key': `${this.sensor}-${first}` } : {};
  }

  /** 0 when it was acknowledged, else how long to wait before it is sent again. */
  async #post(message: Message): Promise<number> {
    const bodies = this.#tally
      .bodiesOf(message)
      .map((body) => `{"sensor":${JSON.stringify(this.sensor)},${body}`);
    try {
      const response = await fetch(`${this.#load.url}/api/v1/readings`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...this.#keyOf(message) },
        body: `[${bodies.join(',')}]`,
        signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
      });
      const answer = (await response.json()) as { accepted?: number };
      if (response.status === 200 && answer.accepted === message.count) return 0;
      const askedMs = Number(response.headers.get('retry-after') ?? 0) * 1000;
      return Math.min(Math.max(askedMs, RETRY_AFTER_MS), MAX_RETRY_AFTER_MS);
    } catch {
      return RETRY_AFTER_MS;
    }
  }
}
