import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { ExpressionAnswer, ExpressionQuestion, ExpressionSettings } from './expression-messages.ts';

const script = fileURLToPath(new URL('./expression-child.ts', import.meta.url));
const BYTES_PER_MIB = 1024 * 1024;

interface ExpressionProcessOptions {
  settings: ExpressionSettings;
  maxHeapBytes: number;
  onAnswer: (answer: ExpressionAnswer) => void;
  /** Called once, whatever ended it. */
  onExit: (how: string) => void;
}

/** One run of the process of an expression. */
export class ExpressionProcess {
  readonly #process: ChildProcess;

  constructor({ settings, maxHeapBytes, onAnswer, onExit }: ExpressionProcessOptions) {
    this.#process = fork(script, [JSON.stringify(settings)], {
      execArgv: [`--max-old-space-size=${Math.floor(maxHeapBytes / BYTES_PER_MIB)}`],
      // Nothing of the platform's environment, which holds secrets.
      env: {},
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      serialization: 'advanced',
    });
    this.#process.on('message', onAnswer);
    let hasEnded = false;
    const end = (how: string): void => {
      if (hasEnded) return;
      hasEnded = true;
      onExit(how);
    };
    // V8 aborts when the heap is full.
    this.#process.on('exit', (code, signal) =>
      end(
        signal === 'SIGABRT'
          ? 'it takes more memory than it may'
          : `it ended by ${signal ?? `exit code ${code}`}`,
      ),
    );
    this.#process.on('error', (error) => {
      if (this.#process.pid === undefined) end(error.message);
    });
  }

  /** Throws when the question cannot be told to another process. */
  ask(question: ExpressionQuestion): void {
    // One that has ended cannot be asked anything; that it has is told by `exit`.
    this.#process.send(question, () => {});
  }

  kill(): void {
    this.#process.kill('SIGKILL');
  }
}
