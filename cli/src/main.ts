import { CommanderError } from 'commander';
import { describeFailure } from './failure.ts';
import { createProgram } from './program.ts';

/** Exit codes of every command. */
const exitCodes = { done: 0, failed: 1, usage: 2 } as const;

/** Runs one command line, without the program's own name; resolves with its exit code and never throws. */
export async function main(args: readonly string[]): Promise<number> {
  try {
    await createProgram().parseAsync(args, { from: 'user' });
    return exitCodes.done;
  } catch (error) {
    // Commander has already said what was wrong, or shown the help that was asked for.
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
    process.stderr.write(`tidemark: ${describeFailure(error)}\n`);
    return exitCodes.failed;
  }
}
