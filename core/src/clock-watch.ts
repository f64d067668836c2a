import type { Clock } from './clock.ts';
import type { Logger } from './log.ts';
import { Counter, type Registry } from './metrics.ts';

const CHECK_EVERY_MS = 1000;
/** More than a pause between the two clocks' reads, less than a second, which is what stamps wait out. */
const LEAST_STEP_MS = 500;

interface ClockWatchOptions {
  clock: Clock;
  logger: Logger;
  metrics: Registry;
}

/**
 * Tells when the wall clock is set: it is compared each second with the monotonic one, by which all timers and
 * timeouts go. A machine that slept looks the same as a clock that was set forward.
 */
export class ClockWatch {
  readonly #options: ClockWatchOptions;
  readonly #steps: Counter;
  /** The wall clock less the monotonic one. */
  #offsetMs = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ClockWatchOptions) {
    this.#options = options;
    this.#steps = new Counter({
      name: 'tidemark_clock_steps_total',
      help: 'Times that the wall clock was set by more than half a second',
      labelNames: ['direction'],
      registers: [options.metrics],
    });
    for (const direction of ['forward', 'back']) this.#steps.inc({ direction }, 0);
  }

  async start(): Promise<void> {
    this.#offsetMs = this.#readOffset();
    this.#timer = setInterval(() => this.#check(), CHECK_EVERY_MS).unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
  }

  #check(): void {
    const offsetMs = this.#readOffset();
    const stepMs = offsetMs - this.#offsetMs;
    this.#offsetMs = offsetMs;
    if (Math.abs(stepMs) < LEAST_STEP_MS) return;
    this.#steps.inc({ direction: stepMs > 0 ? 'forward' : 'back' });
    this.#options.logger.warn(
      { stepMs: Math.round(stepMs) },
      'the clock was set; readings without a time follow it',
    );
  }

  #readOffset(): number {
    const { clock } = this.#options;
    return Number(clock.nowNs() / 1_000_000n) - clock.monotonicMs();
  }
}
