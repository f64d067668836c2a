import { readFileSync } from 'node:fs';
import { Argument, Command, Option } from 'commander';
import { addAlertCommands } from './alerts/commands.ts';
import type { QueryParameters } from './ask.ts';
import { addBackupCommands } from './backup-commands.ts';
import { withConfig, withHttp, withOutput, withRange } from './command-options.ts';
import { httpUrlOption, mqttUrlOption } from './connection.ts';
import type { DemoOptions } from './demo.ts';
import type { DeriveOptions } from './derive.ts';
import type { DoctorOptions } from './doctor/doctor.ts';
import type { GrafanaOptions } from './grafana.ts';
import { addBenchCommand, addExampleCommand } from './grpc-commands.ts';
import type { InitOptions } from './init.ts';
import type { LiveCommandOptions } from './live/live.ts';
import {
  durationOption,
  integerOption,
  listOption,
  metricsOption,
  positiveOption,
  qosOption,
  speedOption,
} from './options.ts';
import type { PublishOptions } from './publish.ts';
import { addQuarantineCommands } from './quarantine-commands.ts';
import type { QueryKind, QueryOptions } from './query.ts';
import { addRegistryCommands } from './registry/commands.ts';
import type { ReplayOptions } from './replay.ts';
import type { SendOptions } from './send.ts';
import type { SimulateOptions } from './simulate.ts';
import { addTransferCommands } from './transfer-commands.ts';
import type { SimulateTravellersOptions } from './travellers/simulate.ts';

const port = integerOption(0, 65_535);
const inFlight = () =>
  new Option('--in-flight <n>', 'most messages that wait for their acknowledgement')
    .argParser(integerOption(1, 60_000))
    .default(500);

/** The command line: every command, its options and what it does. A command's code is loaded when it runs. */
export function createProgram(): Command {
  const program = new Command('tidemark')
    .description('Self-hosted time-series platform for sensors')
    .version(readVersion())
    .exitOverride()
    // What follows the name of a subcommand is its own, also where the command has an option of that name.
    .enablePositionalOptions()
    .showHelpAfterError('Run it with --help for what it takes.')
    .addHelpText('after', '\nExit codes: 0 done, 1 failed, 2 wrong usage. Settings: docs/configuration.md.');
  addPlatformCommands(program);
  addPublishingCommands(program);
  addQueryCommand(program);
  addLiveCommand(program);
  addDoctorCommand(program);
  addBenchCommand(program);
  addExampleCommand(program);
  addQualityCommand(program);
  addQuarantineCommands(program);
  addRegistryCommands(program);
  addAlertCommands(program);
  addDeriveCommand(program);
  addBackupCommands(program);
  addTransferCommands(program);
  return program;
}

function addPlatformCommands(program: Command): void {
  withOutput(withConfig(program.command('serve')))
    .description('run the platform until Ctrl-C')
    .action(async (options) => (await import('./serve.ts')).serve(options));
  withOutput(withConfig(program.command('demo')))
    .description('run the platform with simulated sensors, and say where to look')
    .option('--data-dir <folder>', 'where it keeps its data (default: demo in the data folder)')
    .option('--mqtt-port <port>', 'MQTT port; 0 picks a free one', port)
    .option('--http-port <port>', 'HTTP port; 0 picks a free one', port)
    .option('--flows-port <port>', 'port of Node-RED; 0 picks a free one', port)
    .option('--sensors <n>', 'simulated sensors', integerOption(0, 10_000), 3)
    .option('--rate <n>', 'readings a second of each sensor', positiveOption(1000), 1)
    .action(async (options: DemoOptions) => (await import('./demo.ts')).demo(options));
  withOutput(withConfig(program.command('init')))
    .description('create an MQTT user, an API token and the login of flows, and print them once')
    .option('--data-dir <folder>', 'data folder of the platform')
    .option('--rotate', 'replace the secrets that exist', false)
    .action(async (options: InitOptions) => (await import('./init.ts')).init(options));
  withHttp(program.command('grafana'))
    .description('run an installed Grafana, or Docker’s, with all dashboards against a running platform')
    .option('--port <port>', 'port of Grafana', port, 3000)
    .option(
      '--prometheus <url>',
      'a Prometheus that scrapes the platform, for the dashboard Platform',
      httpUrlOption,
    )
    .action(async (options: GrafanaOptions) => (await import('./grafana.ts')).grafana(options));
  program
    .command('init-compose')
    .description('make the secrets of the services of docker-compose.yml, where there are none')
    .addArgument(new Argument('[action]', 'show prints them').choices(['create', 'show']).default('create'))
    .option('--folder <folder>', "where the services' volumes are", '/volumes')
    .action(async (action: string, options: { folder: string }) =>
      (await import('./init-compose.ts')).initCompose({ ...options, isShow: action === 'show' }),
    );
}

function addTravellersCommand(simulate: Command): void {
  withOutput(withMqtt(simulate.command('travellers')))
    .description('publish positions of simulated pedestrians, cyclists and cars that pass cameras')
    .option('--cameras <n>', 'how many cameras', integerOption(1, 10_000), 50)
    .option('--travellers <n>', 'who sets out in an hour', integerOption(1, 10_000_000), 2000)
    .option(
      '--hours <n>',
      'so many hours that end now, as fast as the rate allows; without it, in real time until Ctrl-C',
      positiveOption(24 * 365),
    )
    .option('--rate <n>', 'most positions a second', positiveOption(1_000_000), 5000)
    .option('--frame-ms <n>', 'time between two pictures of a camera', integerOption(10, 60_000), 1000)
    .option('--seed <n>', 'the same seed gives the same travellers', integerOption(0, 2 ** 32 - 1), 1)
    .addOption(qosOption(1))
    .addOption(inFlight())
    .action(async (options: SimulateTravellersOptions) =>
      (await import('./travellers/simulate.ts')).simulateTravellers(options),
    );
}

function addPublishingCommands(program: Command): void {
  const simulate = program.command('simulate');
  withOutput(withMqtt(simulate))
    .description('publish readings of simulated sensors over MQTT')
    .option('--sensors <n>', 'how many sensors', integerOption(1, 100_000), 3)
    .option('--rate <n>', 'readings a second of each sensor', positiveOption(10_000), 1)
    .option('--count <n>', 'stop after that many readings in all', integerOption(1, Number.MAX_SAFE_INTEGER))
    .option('--seed <n>', 'the same seed gives the same values', integerOption(0, 2 ** 32 - 1), 1)
    .addOption(
      new Option('--metrics <list>', 'NAME or NAME:KIND, comma separated')
        .argParser(metricsOption)
        .default(metricsOption('temperature,humidity,pressure'), 'temperature,humidity,pressure'),
    )
    .option('--prefix <text>', 'sensors are called <text>-1, <text>-2, …', 'sensor')
    .addOption(qosOption(1))
    .addOption(inFlight())
    .action(async (options: SimulateOptions) => (await import('./simulate.ts')).simulate(options));
  addTravellersCommand(simulate);
  withOutput(withMqtt(program.command('replay')))
    .description('publish a CSV recording over MQTT')
    .argument('<file>', 'CSV file with a header and a time column')
    .option('--sensor <id>', "whose readings they are (default: the file's name)")
    .option('--metric <id>', "what the column `value` measures (default: the file's name)")
    .option('--time <column>', 'the time column, when its name is not a usual one')
    .addOption(
      new Option('--speed <factor>', '1 is real time, 60 an hour a minute, max as fast as possible')
        .argParser(speedOption)
        .default(Number.POSITIVE_INFINITY, 'max'),
    )
    .addOption(qosOption(1))
    .addOption(inFlight())
    .action(
      async (file: string, options: ReplayOptions) =>
        void (await (await import('./replay.ts')).replay(file, options)),
    );
  withOutput(withHttp(program.command('send')))
    .description('send random readings over HTTP, and print each once it is durable')
    .option('--count <n>', 'how many', integerOption(1, 1_000_000), 1)
    .option('--sensors <n>', 'of how many sensors, in turns', integerOption(1, 100_000), 1)
    .option('--location <id>', 'where they are')
    .option('--seed <n>', 'the same seed gives the same values', integerOption(0, 2 ** 32 - 1))
    .addOption(
      new Option('--metrics <list>', 'NAME or NAME:KIND, comma separated')
        .argParser(metricsOption)
        .default(metricsOption('temperature,humidity,pressure'), 'temperature,humidity,pressure'),
    )
    .option('--prefix <text>', 'sensors are called <text>-1, <text>-2, …', 'sensor')
    .action(async (options: SendOptions) => (await import('./send.ts')).send(options));
  withOutput(withMqtt(program.command('publish')))
    .description('publish one message and wait for its acknowledgement')
    .argument('<topic>', 'such as sensors/greenhouse-1/temperature')
    .argument('<payload>', 'such as 21.5; - reads it from standard input')
    .addOption(qosOption(1))
    .option('--retain', 'let the broker keep it for new subscribers', false)
    .action(async (topic: string, payload: string, options: PublishOptions) =>
      (await import('./publish.ts')).publish(topic, payload, options),
    );
}

function addQueryCommand(program: Command): void {
  const query = program.command('query').description('ask a running platform over HTTP');
  withWindowOptions(withSelection(query.command('windows')))
    .description('aggregates of windows of time')
    .action(runQuery('windows'));
  withRange(withSelection(query.command('readings')))
    .description('readings in order of time')
    .addOption(new Option('--order <order>', 'oldest or newest first').choices(['asc', 'desc']))
    .option('--limit <n>', 'most readings to answer', integerOption(1, 1_000_000))
    .option('--cursor <text>', 'go on where an earlier answer ended')
    .action(runQuery('readings'));
  withSelection(query.command('latest')).description('the newest value of each').action(runQuery('latest'));
}

function addLiveCommand(program: Command): void {
  withHttp(program.command('live'))
    .description('count, mean, min, max, last and rate of each series, as readings come')
    .option('--sensor <list>', 'only these sensors', listOption)
    .option('--location <list>', 'only at these locations', listOption)
    .option('--metric <list>', 'only these metrics', listOption)
    .option('--after <id>', 'first what came behind this place of the log; 0 is the oldest that is held')
    .option('--json', 'print a JSON line for each series that has changed, each second')
    .action(async (options: LiveCommandOptions) => (await import('./live/live.ts')).live(options));
}

function addDoctorCommand(program: Command): void {
  withHttp(program.command('doctor'))
    .description('why is my message not in the chart? follows a message, or checks a running platform')
    .argument(
      '[topic]',
      'wait for the next message on it, and say each step that it takes; may hold wildcards',
    )
    .option('--payload <text>', 'tell of this payload on the topic, without waiting')
    .option('--user <name>', 'MQTT user that publishes it (default: the one this command connects as)')
    .addOption(new Option('--username <name>', 'MQTT user to connect as').env('TIDEMARK_USERNAME'))
    .addOption(new Option('--password <password>', 'its password').env('TIDEMARK_PASSWORD'))
    .option('--wait <seconds>', 'longest to wait for a message', integerOption(1, 86_400), 60)
    .option('--json', 'print JSON lines')
    .action(async (topic: string | undefined, options: DoctorOptions) =>
      (await import('./doctor/doctor.ts')).doctor(topic, options),
    );
}

function addQualityCommand(program: Command): void {
  withRange(withAnswer(withHttp(program.command('quality'))))
    .description('failed checks, counted by sensor and check; of the last day unless --from says otherwise')
    .option('--sensor <list>', 'only these sensors', listOption)
    .option('--check <list>', 'only these checks, such as range,silence', listOption)
    .option('--limit <n>', 'most counts to answer', integerOption(1, 10_000))
    .option('--cursor <text>', 'go on where an earlier answer ended')
    .action(runQuery('quality'));
}

function withWindowOptions(command: Command): Command {
  return withRange(command)
    .option('--every <duration>', 'length of a window, such as 1m or 1h', durationOption)
    .option('--fn <list>', 'count, sum, min, max, mean, median, stddev, p95, …', listOption)
    .option('--by <list>', 'tell apart by sensor, location or both', listOption)
    .option('--fill <what>', 'none, null, previous, linear or a number')
    .option('--tz <zone>', 'IANA time zone whose midnight windows are aligned to');
}

/** Options of the connection and of the output; all others are parameters of the API by the same name. */
function runQuery(kind: QueryKind) {
  return async (options: QueryOptions & QueryParameters) => {
    const { url, token, config, json, csv, fn, by, ...rest } = options;
    const lists = { fn: joined(fn), by: joined(by) };
    const connection = { url, token, config, json, csv } as QueryOptions;
    await (await import('./query.ts')).query(kind, { ...rest, ...lists }, connection);
  };
}

function joined(list: QueryParameters[string]): string | undefined {
  return Array.isArray(list) ? list.join(',') : undefined;
}

function withSelection(command: Command): Command {
  return withAnswer(withHttp(command))
    .option('--sensor <list>', 'only these sensors', listOption)
    .option('--location <list>', 'only at these locations', listOption)
    .option('--metric <list>', 'only these metrics', listOption);
}

function withAnswer(command: Command): Command {
  return command
    .addOption(new Option('--json', 'print the answer as it came').conflicts('csv'))
    .option('--csv', 'print CSV');
}

function withMqtt(command: Command): Command {
  return withConfig(command)
    .addOption(new Option('--url <url>', 'the broker').env('TIDEMARK_URL').argParser(mqttUrlOption))
    .addOption(new Option('--username <name>', 'MQTT user').env('TIDEMARK_USERNAME'))
    .addOption(new Option('--password <password>', 'its password').env('TIDEMARK_PASSWORD'));
}

function readVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

function addDeriveCommand(program: Command): void {
  withHttp(program.command('derive'))
    .description('derive metrics from readings that are stored already')
    .requiredOption('--from <time>', 'RFC 3339, an integer, or now-1h')
    .option('--to <time>', 'as --from, exclusive (default: now)')
    .option('--metric <names...>', 'only these derived metrics')
    .option('--sensor <ids...>', 'only of these sensors')
    .option('--dry-run', 'count, and write nothing', false)
    .option('--json', 'print JSON lines')
    .action(async (options: DeriveOptions) => (await import('./derive.ts')).derive(options));
}
