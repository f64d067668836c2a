import { quarantineReasons } from '@tidemark/core';
import { type Command, Option } from 'commander';
import { withHttp, withNote, withRange } from './command-options.ts';
import { integerOption } from './options.ts';
import type { ActOptions, AuditOptions, ListOptions, ReplayOptions, ShowOptions } from './quarantine.ts';

/** `tidemark quarantine …` and `tidemark audit`. */
export function addQuarantineCommands(program: Command): void {
  const quarantine = program.command('quarantine').description('what was refused, and what becomes of it');
  withFilter(withHttp(quarantine.command('list')))
    .description('what was refused, newest first')
    .option('--limit <n>', 'most items to list', integerOption(1, 1000))
    .option('--cursor <text>', 'go on where an earlier list ended')
    .option('--json', 'print the answer as it came')
    .action(async (options: ListOptions) => (await import('./quarantine.ts')).list(options));
  withHttp(quarantine.command('show'))
    .description('one refusal with its payload')
    .argument('<id>')
    .option('--json', 'print the answer as it came')
    .action(async (id: string, options: ShowOptions) => (await import('./quarantine.ts')).show(id, options));
  withChoice(withHttp(quarantine.command('replay')), 'replay')
    .description('give refusals to the platform again, once their cause is mended')
    .option('--payload <text>', 'give this instead of the payload of the one item')
    .action(async (ids: string[], options: ReplayOptions) =>
      (await import('./quarantine.ts')).replay(ids, options),
    );
  withChoice(withHttp(quarantine.command('discard')), 'discard')
    .description('remove refusals for good')
    .option('--yes', 'do not ask before many are discarded', false)
    .action(async (ids: string[], options: ActOptions & { yes: boolean }) =>
      (await import('./quarantine.ts')).discard(ids, options),
    );
  withHttp(program.command('audit'))
    .description('who changed or discarded what, newest first')
    .option('--action <name>', 'only this action, such as quarantine.discard')
    .option('--limit <n>', 'most lines', integerOption(1, 1000))
    .option('--cursor <text>', 'go on where an earlier list ended')
    .option('--json', 'print the answer as it came')
    .action(async (options: AuditOptions) => (await import('./quarantine.ts')).audit(options));
}

/** Which items to act on: by id, by filter, or all. */
function withChoice(command: Command, what: string): Command {
  return withNote(withFilter(command))
    .argument('[ids...]', `which to ${what}; without, those that match the filter`)
    .option('--all', 'everything, where no filter is given', false)
    .option('--json', 'print the outcome as JSON');
}

function withFilter(command: Command): Command {
  return withRange(command)
    .addOption(new Option('--reason <reason>', 'only this reason').choices(quarantineReasons))
    .option('--source <name>', 'only what came by mqtt or http, or what the store refused')
    .option('--sensor <id>', 'only of this sensor')
    .option('--topic <topic>', 'only of this topic');
}
