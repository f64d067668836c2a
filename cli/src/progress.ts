import { stringifyJson } from '@tidemark/core';
import { Listr } from 'listr2';

const terminalIntervalMs = 100;
const jsonIntervalMs = 1000;

export interface OutputOptions {
  json?: boolean;
  quiet?: boolean;
}

/** How far long work has come: for a person, and for a program. */
export interface Snapshot {
  text: string;
  data: Record<string, unknown>;
}

interface ProgressParts<T> {
  title: string;
  output: OutputOptions;
  snapshot: () => Snapshot;
  run: () => Promise<T>;
}

/** Runs long work and shows it: a moving line on a terminal, a JSON line each second with `--json`. */
export async function withProgress<T>({ title, output, snapshot, run }: ProgressParts<T>): Promise<T> {
  if (output.quiet) return run();
  if (output.json) {
    return every(jsonIntervalMs, () => printJson({ event: 'progress', ...snapshot().data }), run);
  }
  return process.stdout.isTTY ? onTerminal({ title, output, snapshot, run }) : run();
}

/** Writes one JSON line to standard output. */
export function printJson(data: Record<string, unknown>): void {
  process.stdout.write(`${stringifyJson(data)}\n`);
}

/** Prints the end of a command's work: a sentence, or its data as a JSON line; nothing with `--quiet`. */
export function printResult(output: OutputOptions, { text, data }: Snapshot): void {
  if (output.json) printJson({ event: 'done', ...data });
  else if (!output.quiet) process.stdout.write(`${text}\n`);
}

/** Tells a person, on standard error, what happens meanwhile; nothing with `--quiet` or `--json`. */
export function printNotice(output: OutputOptions, text: string): void {
  if (!output.quiet && !output.json) process.stderr.write(`${text}\n`);
}

async function onTerminal<T>({ title, snapshot, run }: ProgressParts<T>): Promise<T> {
  const results: T[] = [];
  const tasks = new Listr(
    {
      title,
      task: async (_context, task) => {
        const show = () => {
          task.title = `${title}: ${snapshot().text}`;
        };
        results.push(await every(terminalIntervalMs, show, run));
      },
    },
    // The command itself handles Ctrl-C, so that it can drain and count.
    { registerSignalListeners: false, rendererOptions: { collapseErrors: false, showErrorMessage: false } },
  );
  await tasks.run();
  return results[0] as T;
}

async function every<T>(intervalMs: number, show: () => void, run: () => Promise<T>): Promise<T> {
  const timer = setInterval(show, intervalMs);
  try {
    return await run();
  } finally {
    clearInterval(timer);
  }
}
