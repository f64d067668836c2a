import { type Command, Option } from 'commander';
import { withHttp, withNote, withOutput } from '../command-options.ts';
import { durationOption, integerOption } from '../options.ts';
import type { ListOptions } from './list.ts';
import { coordinateOption, labelOption, metricOption } from './options.ts';
import type { AuditedOptions, WriteOptions } from './write.ts';

type Fields = Record<string, unknown>;
const states = ['active', 'maintenance', 'retired'];

/** `tidemark sensors` and `tidemark locations`: the registry of a running platform. */
export function addRegistryCommands(program: Command): void {
  const sensors = program.command('sensors').description('list and declare sensors');
  withListing(sensors.command('list', { isDefault: true }))
    .description('registered sensors (the default)')
    .option('--location <id>', 'only those that are there now')
    .option('--kind <text>', 'only of this kind')
    .option('--label <key=value>', 'only with this label; repeatable', labelsOption)
    .addOption(new Option('--state <state>', 'only in this state').choices(states))
    .option('--owner <text>', 'only of this owner')
    .option('-q, --q <text>', 'only those whose id, kind or owner holds this text')
    .action(runList('sensors'));
  addSensorChanges(sensors);
  withWriting(sensors.command('import'))
    .description('declare sensors and locations of a YAML file: all of it or, with any fault, nothing')
    .argument('<file>', 'YAML or JSON with `locations` and `sensors`')
    .option('--dry-run', 'only say what would change', false)
    .action(async (file: string, options) => (await import('./import.ts')).importFile(file, options));

  const locations = program.command('locations').description('list and declare locations');
  withListing(locations.command('list', { isDefault: true }))
    .description('registered locations (the default)')
    .option('--parent <id>', 'only those directly in this one')
    .option('-q, --q <text>', 'only those whose id or name holds this text')
    .action(runList('locations'));
  addLocationChanges(locations);
}

function addSensorChanges(sensors: Command): void {
  withShowing(sensors.command('show')).description('one sensor').argument('<id>').action(runShow('sensors'));
  withSensor(withWriting(sensors.command('add')))
    .description('register a sensor')
    .argument('<id>')
    .action(async (id: string, options: WriteOptions & Fields) =>
      (await import('./write.ts')).add('sensors', id, options),
    );
  withSensor(withWriting(sensors.command('set')))
    .description('change what is declared of a sensor; an empty text takes it away')
    .argument('<id>')
    .action(async (id: string, options: WriteOptions & Fields) =>
      (await import('./write.ts')).change('sensors', id, options),
    );
  withWriting(sensors.command('move'))
    .description('say where a sensor is from now on; where it was stays known')
    .argument('<id>')
    .argument('<location>', 'a registered location')
    .option('--since <time>', 'it has been there since then')
    .action(async (id: string, location: string, options: WriteOptions & Fields) =>
      (await import('./write.ts')).change('sensors', id, { ...options, location }),
    );
  withNote(withWriting(sensors.command('rename')))
    .description('give a sensor another id; its history goes with it')
    .argument('<id>')
    .argument('<new-id>')
    .action(async (id: string, newId: string, options: AuditedOptions) =>
      (await import('./write.ts')).rename(id, newId, options),
    );
  withNote(withWriting(sensors.command('remove')))
    .description('delete a sensor; its data stay unless told otherwise')
    .argument('<id>')
    .addOption(
      new Option('--data <what>', 'what becomes of its data').choices(['keep', 'delete']).default('keep'),
    )
    .action(async (id: string, options: AuditedOptions & { data: string }) =>
      (await import('./write.ts')).remove('sensors', id, options),
    );
}

function addLocationChanges(locations: Command): void {
  withShowing(locations.command('show'))
    .description('one location')
    .argument('<id>')
    .action(runShow('locations'));
  withLocation(withWriting(locations.command('add')))
    .description('register a location')
    .argument('<id>')
    .action(async (id: string, options: WriteOptions & Fields) =>
      (await import('./write.ts')).add('locations', id, options),
    );
  withLocation(withWriting(locations.command('set')))
    .description('change a location; an empty text takes it away')
    .argument('<id>')
    .action(async (id: string, options: WriteOptions & Fields) =>
      (await import('./write.ts')).change('locations', id, options),
    );
  withNote(withWriting(locations.command('remove')))
    .description('delete a location that nothing uses')
    .argument('<id>')
    .action(async (id: string, options: AuditedOptions) =>
      (await import('./write.ts')).remove('locations', id, options),
    );
}

function withSensor(command: Command): Command {
  return command
    .option('--kind <text>', 'what it is')
    .option('--metric <name[:unit[:min:max]]>', 'a metric it has; repeatable', metricOption)
    .option('--location <id>', 'where it is; a registered location')
    .option('--since <time>', 'since when it is there')
    .option('--expected-interval <duration>', 'how often it should report', orEmpty(durationOption))
    .option('--owner <text>', 'who is told when it fails')
    .option('--label <key=value>', 'a label; repeatable, `key=` takes it away', labelOption)
    .addOption(new Option('--state <state>', 'its state').choices(states))
    .addOption(new Option('--time-from <whose>', 'whose clock is trusted').choices(['device', 'server']));
}

function withLocation(command: Command): Command {
  return command
    .option('--name <text>', 'its name')
    .option('--latitude <degrees>', 'WGS 84', coordinateOption(90))
    .option('--longitude <degrees>', 'WGS 84', coordinateOption(180))
    .option('--parent <id>', 'the location that it lies in');
}

function withListing(command: Command): Command {
  return withShowing(command)
    .option('--limit <n>', 'most entries to list', integerOption(1, 1000), 1000)
    .option('--cursor <text>', 'go on where an earlier list ended');
}

function withShowing(command: Command): Command {
  return withHttp(command).option('--json', 'print the answer as it came');
}

function withWriting(command: Command): Command {
  return withOutput(withHttp(command));
}

function runList(kind: ListOptions['kind']) {
  return async (options: Omit<ListOptions, 'kind'>) => (await import('./list.ts')).list({ ...options, kind });
}

function runShow(kind: ListOptions['kind']) {
  return async (id: string, options: WriteOptions) => (await import('./list.ts')).show(kind, id, options);
}

/** Labels are asked for as they are written. */
function labelsOption(text: string, previous: readonly string[] = []): string[] {
  return [...previous, text];
}

function orEmpty(read: (text: string) => string): (text: string) => string {
  return (text) => (text === '' ? text : read(text));
}
