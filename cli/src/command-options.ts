import { type Command, Option } from 'commander';
import { httpUrlOption } from './connection.ts';

/** The settings of a command. */
export function withConfig(command: Command): Command {
  return command.addOption(new Option('--config <file>', 'settings as YAML').env('TIDEMARK_CONFIG'));
}

/** A command that asks a running platform over HTTP. */
export function withHttp(command: Command): Command {
  return withConfig(command)
    .addOption(new Option('--url <url>', 'the platform').env('TIDEMARK_URL').argParser(httpUrlOption))
    .addOption(new Option('--token <token>', 'API token').env('TIDEMARK_TOKEN'));
}

/** A command about a range of time. */
export function withRange(command: Command): Command {
  return command
    .option('--from <time>', 'RFC 3339, an integer, or now-1h')
    .option('--to <time>', 'as --from, exclusive');
}

/** A command that prints what it did. */
export function withOutput(command: Command): Command {
  return command
    .addOption(new Option('--json', 'print JSON lines').conflicts('quiet'))
    .option('--quiet', 'print errors only');
}

/** A command that leaves a line in the audit log. */
export function withNote(command: Command): Command {
  return command.option('--note <text>', 'why, for the audit log');
}
