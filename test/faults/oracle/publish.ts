import { type ChildProcess, fork } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Command, Latency, Load, Progress, Report, Summary } from './load.ts';

const publisherFile = fileURLToPath(new URL('./publisher.ts', import.meta.url));
const STOP_WITHIN_MS = 20_000;
/** Longer than any fault holds a publisher without so much as a lost connection. */
const STUCK_AFTER_MS = 60_000;

/** The publisher's process, seen from the case that runs it. */
export class Publisher {
  readonly #child: ChildProcess;
  readonly #reports = new EventEmitter<{
    progress: [Progress];
    latency: [Latency];
    summary: [Summary];
    error: [Error];
  }>();
  progress: Progress = { sent: 0, acknowledged: 0, connected: 0, disconnects: 0, resent: 0 };

  constructor(load: Load) {
    this.#child = fork(publisherFile, [JSON.stringify(load)], { stdio: 'inherit' });
    this.#reports.setMaxListeners(0);
    this.#child.on('message', (message: Report) => {
      if (message.kind === 'latency') this.#reports.emit('latency', message.latency);
      else if (message.kind === 'summary') this.#reports.emit('summary', message.summary);
      else {
        this.progress = message.progress;
        this.#reports.emit('progress', message.progress);
      }
    });
    this.#child.on('exit', (code) =>
      this.#reports.emit('error', new Error(`the publisher ended with ${code}`)),
    );
    this.#reports.on('error', () => {});
  }

  /** Resolves when a condition on its progress holds, looked at ten times a second; throws when it is stuck. */
  async until(condition: (progress: Progress) => boolean): Promise<Progress> {
    let before = '';
    for (let changedAtMs = performance.now(); !condition(this.progress); ) {
      await once(this.#reports, 'progress');
      const now = JSON.stringify(this.progress);
      if (now !== before) changedAtMs = performance.now();
      else if (performance.now() - changedAtMs > STUCK_AFTER_MS)
        throw new Error(`the publisher is stuck: ${now}`);
      before = now;
    }
    return this.progress;
  }

  /** Resolves when so many more readings were acknowledged. */
  async untilMore(acknowledged: number): Promise<Progress> {
    const target = this.progress.acknowledged + acknowledged;
    return this.until((progress) => progress.acknowledged >= target);
  }

  /** Its progress once a report brought no new acknowledgement. */
  async settled(): Promise<Progress> {
    for (let before = -1; before !== this.progress.acknowledged; ) {
      before = this.progress.acknowledged;
      await once(this.#reports, 'progress');
    }
    return this.progress;
  }

  /** The latencies since this was last asked. */
  async takeLatency(): Promise<Latency> {
    return this.#ask({ kind: 'latency' }, 'latency') as Promise<Latency>;
  }

  /** Sends nothing new, waits for what is in flight, but not longer than `withinMs`, and ends the process. */
  async stop(withinMs = STOP_WITHIN_MS): Promise<Summary> {
    return this.#ask({ kind: 'stop', withinMs }, 'summary') as Promise<Summary>;
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  async #ask(command: Command, answer: 'latency' | 'summary'): Promise<Latency | Summary> {
    const answered = once(this.#reports, answer);
    this.#child.send(command);
    const [value] = (await answered) as [Latency | Summary];
    return value;
  }
}
