import { alertStates, setAsideReasons } from '@tidemark/core';
import { type Command, Option } from 'commander';
import { withHttp, withNote, withRange } from '../command-options.ts';
import { integerOption, listOption } from '../options.ts';
import type { ActOptions, ListOptions } from './alerts.ts';
import type { DeskOptions } from './notifications.ts';
import type { RuleOptions } from './rules.ts';

/** `tidemark rules` and `tidemark alerts`. */
export function addAlertCommands(program: Command): void {
  addRuleCommands(program.command('rules').description('what is to be alerted about'));
  addAlerts(program.command('alerts').description('what fires, and what is done about it'));
  addNotifications(program.command('notifications').description('what is told to whom, and what cannot be'));
}

function addRuleCommands(rules: Command): void {
  withPage(rules.command('list', { isDefault: true }))
    .description('rules (the default)')
    .action(async (options: ListOptions) => (await import('./rules.ts')).list(options));
  withJson(rules.command('show'))
    .description('one rule')
    .argument('<id>')
    .action(async (id: string, options: RuleOptions) => (await import('./rules.ts')).show(id, options));
  withJson(rules.command('validate'))
    .description('what is wrong with the rules of a file')
    .argument('<file>', 'YAML with `rules`')
    .action(async (file: string, options: RuleOptions) =>
      (await import('./rules.ts')).validate(file, options),
    );
  withNote(withJson(rules.command('import')))
    .description('create or replace the rules of a file: all of them or, with any fault, none')
    .argument('<file>', 'YAML with `rules`')
    .option('--allow-unknown', 'take rules about metrics that no sensor has yet', false)
    .action(async (file: string, options: RuleOptions) =>
      (await import('./rules.ts')).importFile(file, options),
    );
  withRange(withJson(rules.command('dry-run')))
    .description(
      'how often the rules of a file would have fired; in the last 30 days unless --from says otherwise',
    )
    .argument('<file>', 'YAML with `rules`')
    .action(async (file: string, options: RuleOptions) => (await import('./rules.ts')).dryRun(file, options));
  withNote(withJson(rules.command('remove')))
    .description('delete a rule and resolve its alerts')
    .argument('<id>')
    .action(async (id: string, options: RuleOptions) => (await import('./rules.ts')).remove(id, options));
}

function addAlerts(alerts: Command): void {
  withFilter(withPage(alerts.command('list', { isDefault: true })))
    .description('alerts that are not resolved (the default)')
    .action(async (options: ListOptions) => (await import('./alerts.ts')).list(options));
  withFilter(withPage(alerts.command('history')))
    .description('what became of alerts, newest first')
    .action(async (options: ListOptions) => (await import('./alerts.ts')).history(options));
  withAction(alerts.command('ack'))
    .description('say that somebody has taken an alert on')
    .action(async (id: string, options: ActOptions) => (await import('./alerts.ts')).act('ack', id, options));
  withAction(alerts.command('resolve'))
    .description('end an alert by hand')
    .action(async (id: string, options: ActOptions) =>
      (await import('./alerts.ts')).act('resolve', id, options),
    );
  withAction(alerts.command('silence'))
    .description('notify nobody of an alert for a while')
    .requiredOption('--until <time>', 'RFC 3339, an integer, or now+2h')
    .action(async (id: string, options: ActOptions) =>
      (await import('./alerts.ts')).act('silence', id, options),
    );
}

function addNotifications(notifications: Command): void {
  withChannel(withPage(notifications.command('list', { isDefault: true })))
    .description('what waits for its channel, and what was set aside (the default)')
    .addOption(new Option('--state <state>', 'only in this state').choices(['waiting', 'quarantined']))
    .action(async (options: ListOptions) => (await import('./notifications.ts')).list(options));
  withChannel(withPage(notifications.command('quarantined')))
    .description('what could not be delivered')
    .action(async (options: ListOptions) => (await import('./notifications.ts')).quarantined(options));
  withChoice(notifications.command('replay'))
    .description('send what could not be delivered again, once the cause is mended')
    .action(async (id: string | undefined, options: DeskOptions) =>
      (await import('./notifications.ts')).replay(id, options),
    );
  withChoice(notifications.command('discard'))
    .description('remove what could not be delivered for good')
    .action(async (id: string | undefined, options: DeskOptions) =>
      (await import('./notifications.ts')).discard(id, options),
    );
  withJson(notifications.command('channels'))
    .description('the channels of the configuration')
    .action(async (options: DeskOptions) => (await import('./notifications.ts')).channels(options));
  withJson(notifications.command('test'))
    .description('send a test notification, and fail where it is not taken')
    .argument('<channel>')
    .action(async (channel: string, options: DeskOptions) =>
      (await import('./notifications.ts')).test(channel, options),
    );
}

function withChoice(command: Command): Command {
  return withNote(withChannel(withJson(command)))
    .argument('[id]', 'one; without, those in the quarantine that match')
    .option('--all', 'everything, where no filter is given', false);
}

function withChannel(command: Command): Command {
  return command
    .option('--channel <name>', 'only of this channel')
    .addOption(new Option('--reason <reason>', 'only with this reason').choices(setAsideReasons));
}

function withFilter(command: Command): Command {
  return command
    .option('--rule <list>', 'only of these rules', listOption)
    .option('--sensor <list>', 'only of these sensors', listOption)
    .addOption(new Option('--state <state>', 'only in this state').choices(alertStates));
}

function withPage(command: Command): Command {
  return withJson(command)
    .option('--limit <n>', 'most to list', integerOption(1, 1000))
    .option('--cursor <text>', 'go on where an earlier list ended');
}

function withAction(command: Command): Command {
  return withJson(command)
    .argument('<id>', 'such as too-hot:greenhouse-1')
    .option('--by <name>', 'who does it')
    .option('--comment <text>', 'in which words');
}

function withJson(command: Command): Command {
  return withHttp(command).option('--json', 'print the answer as it came');
}
