import { TidemarkClientError } from './errors.ts';
import type { NewReading, WriteResult } from './types.ts';

/** A reading that was refused, and is in the platform's quarantine, or that nobody could take. */
export interface RejectedReading {
  reading: NewReading;
  code: string;
  detail: string;
}

export interface WriterOptions {
  /** Told of every reading that will not be stored. Without it such a reading throws from `flush` and `close`. */
  onRejected?: (rejected: readonly RejectedReading[]) => void;
  /** Readings of one request, up to 1 000. */
  batchReadings?: number;
  /** Longest that a reading waits for its batch. */
  flushIntervalMs?: number;
  /** Most readings that are held; then `write` waits. */
  maxReadings?: number;
  /** First pause before a request that failed is sent again; it doubles, up to 30 s. */
  retryMs?: number;
}

const MAX_RETRY_MS = 30_000;

/**
 * Sends readings in batches, in order. What `write` took is held until the platform says that it is on stable storage,
 * and sent again for as long as the platform cannot be reached or cannot take it; what it refuses is told. A reading
 * without a time gets one here, so that sending it twice stores it once.
 */
export class BufferedWriter {
  readonly #send: (readings: readonly NewReading[]) => Promise<WriteResult>;
  readonly #options: Required<Omit<WriterOptions, 'onRejected'>>;
  readonly #onRejected: WriterOptions['onRejected'];
  readonly #held: NewReading[] = [];
  readonly #untold: RejectedReading[] = [];
  #lastNs = 0n;
  #sending: Promise<void> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;
  #isStopped = false;
  #wakeRetry = () => {};
  #room: Promise<void> = Promise.resolve();
  #giveRoom = () => {};

  constructor(
    send: (readings: readonly NewReading[]) => Promise<WriteResult>,
    {
      onRejected,
      batchReadings = 500,
      flushIntervalMs = 100,
      maxReadings = 10_000,
      retryMs = 500,
    }: WriterOptions,
  ) {
    this.#send = send;
    this.#onRejected = onRejected;
    this.#options = { batchReadings: Math.min(batchReadings, 1000), flushIntervalMs, maxReadings, retryMs };
  }

  /** Readings that are not on stable storage yet. */
  get waiting(): number {
    return this.#held.length;
  }

  /** Takes a reading; waits while `maxReadings` are held. Throws once it is closed. */
  async write(reading: NewReading): Promise<void> {
    while (!this.#isClosed && this.#held.length >= this.#options.maxReadings) await this.#room;
    if (this.#isClosed) throw new Error('the writer is closed');
    this.#held.push(reading.time === undefined ? { ...reading, time: this.#stamp() } : reading);
    if (this.#held.length >= this.#options.maxReadings) this.#closeRoom();
    if (this.#held.length >= this.#options.batchReadings) this.#begin();
    else this.#timer ??= setTimeout(() => this.#begin(), this.#options.flushIntervalMs);
  }

  /** Resolves when everything taken before is on stable storage or told as rejected. */
  async flush(): Promise<void> {
    while (this.#held.length > 0 && !this.#isStopped) await this.#begin();
    const untold = this.#untold.splice(0);
    if (untold.length === 0) return;
    const [first] = untold;
    const more = untold.length > 1 ? ` (and ${untold.length - 1} more)` : '';
    throw new TidemarkClientError(
      `a reading of ${first!.reading.sensor} was refused: ${first!.detail}${more}`,
      {
        status: 422,
        code: first!.code,
        retryable: false,
        body: untold,
      },
    );
  }

  /**
   * Takes no more, and sends what is held. Answers with the readings that are not known to be stored after
   * `timeoutMs` (for ever unless given): they are the caller's again.
   */
  async close({ timeoutMs }: { timeoutMs?: number } = {}): Promise<{ unsent: NewReading[] }> {
    this.#isClosed = true;
    this.#openRoom();
    let timer: ReturnType<typeof setTimeout> | undefined;
    if (timeoutMs !== undefined) timer = setTimeout(() => this.#stop(), timeoutMs);
    try {
      await this.flush();
    } finally {
      clearTimeout(timer);
      clearTimeout(this.#timer);
    }
    return { unsent: this.#held.splice(0) };
  }

  #begin(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#sending ??= this.#sendHeld().finally(() => {
      this.#sending = undefined;
    });
    return this.#sending;
  }

  async #sendHeld(): Promise<void> {
    let pauseMs = this.#options.retryMs;
    while (this.#held.length > 0 && !this.#isStopped) {
      const batch = this.#held.slice(0, this.#options.batchReadings);
      try {
        this.#settle(batch, await this.#send(batch));
        pauseMs = this.#options.retryMs;
      } catch (error) {
        if (isRefusal(error)) {
          this.#settle(batch, refusalOf(batch, error));
          continue;
        }
        const askedMs = error instanceof TidemarkClientError ? (error.retryAfterMs ?? 0) : 0;
        await this.#pause(Math.max(pauseMs, askedMs));
        pauseMs = Math.min(2 * pauseMs, MAX_RETRY_MS);
      }
    }
  }

  #settle(batch: readonly NewReading[], { rejected }: Pick<WriteResult, 'rejected'>): void {
    this.#held.splice(0, batch.length);
    if (this.#held.length < this.#options.maxReadings) this.#openRoom();
    if (rejected.length === 0) return;
    const told = rejected.map(({ index, code, detail }) => ({ reading: batch[index]!, code, detail }));
    if (this.#onRejected) this.#onRejected(told);
    else this.#untold.push(...told);
  }

  #stop(): void {
    this.#isStopped = true;
    this.#wakeRetry();
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wakeRetry = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #closeRoom(): void {
    this.#room = new Promise((resolve) => {
      this.#giveRoom = resolve;
    });
  }

  #openRoom(): void {
    this.#giveRoom();
  }

  /** RFC 3339 to the nanosecond, later than every stamp before: two readings of one moment are two. */
  #stamp(): string {
    const nowNs = BigInt(Date.now()) * 1_000_000n;
    this.#lastNs = nowNs > this.#lastNs ? nowNs : this.#lastNs + 1n;
    const second = new Date(Number(this.#lastNs / 1_000_000n)).toISOString().slice(0, -5);
    return `${second}.${String(this.#lastNs % 1_000_000_000n).padStart(9, '0')}Z`;
  }
}

/** The platform has said that it will never take these: all else may heal. A wrong token may be replaced. */
function isRefusal(error: unknown): error is TidemarkClientError {
  return error instanceof TidemarkClientError && [400, 413, 415, 422].includes(error.status);
}

function refusalOf(
  batch: readonly NewReading[],
  { body, code, message }: TidemarkClientError,
): Pick<WriteResult, 'rejected'> {
  const { rejected } = (body ?? {}) as Partial<WriteResult>;
  if (Array.isArray(rejected) && rejected.length > 0) return { rejected };
  return { rejected: batch.map((_reading, index) => ({ index, code, detail: message })) };
}
