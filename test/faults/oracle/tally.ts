import { openSync, writeSync } from 'node:fs';
import { createHistogram } from 'node:perf_hooks';
import type { Latency, Load, Progress } from './load.ts';
import { valueFor } from './numbers.ts';

/** Readings that were sent together: numbers `first` to `first + count - 1` of one sensor. */
export interface Message {
  first: number;
  count: number;
  sentAtMs: number;
}

/** Keeps the books of all connections of a publisher: what may be sent, what was acknowledged, how soon. */
export class Tally {
  readonly progress: Progress = { sent: 0, acknowledged: 0, connected: 0, disconnects: 0, resent: 0 };
  readonly #load: Load;
  readonly #log: number;
  readonly #startedMs = performance.now();
  readonly #startNs = BigInt(Date.now()) * 1_000_000n;
  #latencyUs = createHistogram();
  isStopping = false;

  constructor(load: Load) {
    this.#load = load;
    this.#log = openSync(load.log, 'a');
  }

  /** The next message of a sensor that has sent `next` readings; undefined when it must wait, or is done. */
  draw(next: number): Message | undefined {
    const { ratePerSecond, readings, batch } = this.#load;
    const count = Math.min(batch, readings - next);
    if (this.isStopping || count <= 0) return undefined;
    const seconds = (performance.now() - this.#startedMs) / 1000;
    if (this.progress.sent + count > seconds * ratePerSecond) return undefined;
    this.progress.sent += count;
    return { first: next, count, sentAtMs: performance.now() };
  }

  /** The readings of a message as JSON texts, in which nanoseconds stay exact. */
  bodiesOf({ first, count }: Message): string[] {
    return Array.from({ length: count }, (_, at) => {
      const n = first + at;
      const time = this.#load.time === 'device' ? `,"time":${this.#startNs + BigInt(n) * 1000n}` : '';
      return `"value":${valueFor(n)}${time}}`;
    });
  }

  /** Notes acknowledged messages of a sensor in the log, before anything more is sent. */
  acknowledge(sensor: string, messages: readonly Message[]): void {
    const nowMs = performance.now();
    let lines = '';
    for (const { first, count, sentAtMs } of messages) {
      for (let n = first; n < first + count; n++) lines += `${sensor} ${n} ${valueFor(n)}\n`;
      this.progress.acknowledged += count;
      this.#latencyUs.record(Math.max(1, Math.round((nowMs - sentAtMs) * 1000)));
    }
    if (lines !== '') writeSync(this.#log, lines);
  }

  /** The latencies since this was last asked. */
  takeLatency(): Latency {
    const histogram = this.#latencyUs;
    this.#latencyUs = createHistogram();
    const { count } = histogram;
    const msAt = (percentile: number): number => (count === 0 ? 0 : histogram.percentile(percentile) / 1000);
    return { count, p50Ms: msAt(50), p99Ms: msAt(99), maxMs: count === 0 ? 0 : histogram.max / 1000 };
  }
}
