import { Worker } from 'node:worker_threads';
import { stringifyJson } from '@tidemark/core/json';
import jsonata from 'jsonata';
import type { ExpressionAnswer, ExpressionQuestion, ExpressionSettings } from './expression-messages.ts';

// The process that evaluates one mapping's expression, started by `ExpressionProcess`: one that never ends, or takes
// more memory than it may, ends this process and nothing else. A thread would not do, since V8 ends the whole process
// when a single string does not fit into the heap of one of its threads.

/** Calls within calls; and elements of a sequence, which are made before memory is looked at. */
const MAX_DEPTH = 500;
const MAX_SEQUENCE = 100_000;
/** What JSONata says of an evaluation that took too long. */
const TIMED_OUT = 'D1012';

const { expression, timeoutMs, maxResultBytes } = JSON.parse(process.argv[2]!) as ExpressionSettings;
const compiled = jsonata(expression, { timeout: timeoutMs, stack: MAX_DEPTH, sequence: MAX_SEQUENCE });

/** One after another, as they came. */
let evaluating: Promise<void> = Promise.resolve();

process.on('message', (question: ExpressionQuestion) => {
  evaluating = evaluating.then(async () => tell(await answer(question)));
});
process.on('disconnect', () => process.exit());
new Worker(new URL('./parent-watch.ts', import.meta.url), { workerData: process.ppid }).unref();
tell({ type: 'ready' });

async function answer({ input, bindings }: ExpressionQuestion): Promise<ExpressionAnswer> {
  try {
    const json = stringifyJson((await compiled.evaluate(input, bindings)) ?? []);
    if (json.length <= maxResultBytes) return { type: 'result', json };
    return { type: 'failed', message: `it answers more than ${maxResultBytes} bytes`, isTimeout: false };
  } catch (error) {
    return failure(error);
  }
}

/** JSONata throws objects that are no errors. */
function failure(error: unknown): ExpressionAnswer {
  const { code, message } = error as { code?: string; message?: string };
  const text = message ?? String(error);
  return {
    type: 'failed',
    message: code === undefined ? text : `${text} (${code})`,
    isTimeout: code === TIMED_OUT,
  };
}

function tell(answer: ExpressionAnswer): void {
  process.send!(answer);
}
