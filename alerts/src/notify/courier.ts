import { setTimeout as delay } from 'node:timers/promises';
import { type Clock, type Logger, messageOf, NS_PER_MS, type PartHealth } from '@tidemark/core';
import type { Deliver, Refused } from './delivery.ts';
import type { Outbox, Waiting } from './outbox.ts';

const MAX_PAUSE_MS = 3600 * 1000;
/** Pause after meta.db could not be read or written. */
const DB_RETRY_MS = 1000;

interface CourierOptions {
  channel: string;
  deliver: Deliver;
  outbox: Outbox;
  clock: Clock;
  logger: Logger;
  timeoutMs: number;
  retryMs: number;
  onDelivered: () => void;
  onFailed: () => void;
  /** Sets one aside for good, durably. */
  setAside: (notice: Waiting, refused: Refused) => void;
}

/**
 * Takes what waits for one channel there, one after another: at least once, over restarts too. What fails is tried
 * again after pauses that double, and holds up only what is told later of the same alert.
 */
export class Courier {
  readonly #options: CourierOptions;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  /** Why the channel did not take the last one that it was given. */
  #refusal: string | undefined;
  /** Why what is to be told cannot be kept. */
  #fault: string | undefined;
  #wake: () => void = () => {};

  constructor(options: CourierOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  /** There is more. */
  wake(): void {
    this.#wake();
  }

  health(): PartHealth {
    const name = `notify ${this.#options.channel}`;
    if (this.#fault !== undefined) return { name, status: 'fail', message: this.#fault };
    // Whoever is to take them is no part of the platform.
    if (this.#refusal !== undefined) return { name, status: 'warn', message: this.#refusal };
    return { name, status: 'pass', message: 'delivering' };
  }

  async #run(): Promise<void> {
    const { outbox, channel, clock } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      const next = await this.#durably(() => outbox.next(channel));
      if (signal.aborted) return;
      if (next === undefined) this.#refusal = undefined;
      const waitMs = next && Number(next.nextNs - clock.nowNs()) / Number(NS_PER_MS);
      if (next !== undefined && waitMs! <= 0) await this.#take(next);
      else await this.#pause(promise, waitMs);
    }
  }

  /** Until there is more or a time has passed; the clock may be set meanwhile, so it is looked at each minute. */
  async #pause(woken: Promise<void>, waitMs: number | undefined): Promise<void> {
    const ended = new AbortController();
    const signal = AbortSignal.any([this.#stopping.signal, ended.signal]);
    const aMinute = delay(Math.min(waitMs ?? 60_000, 60_000), undefined, { signal, ref: false });
    await Promise.race([woken, aMinute.catch(() => {})]);
    ended.abort();
  }

  async #take(notice: Waiting): Promise<void> {
    const { deliver, outbox, timeoutMs, onDelivered, setAside } = this.#options;
    const timeout = AbortSignal.timeout(timeoutMs);
    try {
      const signal = AbortSignal.any([this.#stopping.signal, timeout]);
      const refused = await unlessAborted(deliver(notice, signal), signal);
      if (refused === undefined) {
        await this.#durably(() => outbox.remove(notice.id));
        onDelivered();
        this.#refusal = undefined;
      } else {
        this.#tell(refused.detail);
        await this.#durably(() => setAside(notice, refused));
      }
    } catch (error) {
      if (this.#stopping.signal.aborted) return;
      await this.#failed(notice, timeout.aborted ? `no answer within ${timeoutMs} ms` : messageOf(error));
    }
  }

  async #failed(notice: Waiting, detail: string): Promise<void> {
    const { clock, retryMs, outbox, onFailed, setAside } = this.#options;
    onFailed();
    this.#tell(detail);
    const nowNs = clock.nowNs();
    const { attempts, expiresNs } = notice;
    if (nowNs >= expiresNs) {
      const refused: Refused = { reason: 'expired', detail: `${attempts + 1} tries, the last: ${detail}` };
      await this.#durably(() => setAside(notice, refused));
      return;
    }
    const pauseMs = Math.min(retryMs * 2 ** Math.min(attempts, 30), MAX_PAUSE_MS);
    const nextNs = nowNs + BigInt(Math.round(pauseMs)) * NS_PER_MS;
    await this.#durably(() =>
      outbox.postpone(notice.id, { nextNs: nextNs < expiresNs ? nextNs : expiresNs, detail }),
    );
  }

  #tell(detail: string): void {
    const { channel, logger } = this.#options;
    if (this.#refusal === undefined) logger.warn({ channel, detail }, 'a notification was not taken');
    this.#refusal = detail;
  }

  /** Tried until it is done or the platform stops: what was delivered is not sent again because a disk is full. */
  async #durably<Result>(work: () => Result): Promise<Result | undefined> {
    const { channel, logger } = this.#options;
    const { signal } = this.#stopping;
    let isTold = false;
    do {
      try {
        const result = work();
        this.#fault = undefined;
        return result;
      } catch (error) {
        if (!isTold) logger.error({ err: error, channel }, 'notifications cannot be kept; it is tried again');
        isTold = true;
        this.#fault = messageOf(error);
        await delay(DB_RETRY_MS, undefined, { signal }).catch(() => {});
      }
    } while (!signal.aborted);
    return undefined;
  }
}

/** Whatever it is doing, it holds a channel no longer than that. */
async function unlessAborted<Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> {
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason);
  signal.addEventListener('abort', onAbort);
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
