import { type Command, Option } from 'commander';
import { withHttp, withOutput, withRange } from './command-options.ts';
import { listOption } from './options.ts';
import type { ExportOptions } from './transfer/export.ts';
import { transferFormats } from './transfer/files.ts';
import type { ImportOptions } from './transfer/import.ts';

type Filters = Partial<Record<'measurement' | 'sensor' | 'location' | 'metric', string[]>> & {
  from?: string;
  to?: string;
};

/** `tidemark export` and `tidemark import`. */
export function addTransferCommands(program: Command): void {
  withRange(withTransfer(program.command('export')))
    .description('write what is stored to a file')
    .argument('<file>', 'CSV, line protocol or Parquet; - is standard output')
    .option(
      '--measurement <list>',
      "only these measurements (default: all but the platform's own)",
      listOption,
    )
    .option('--sensor <list>', 'only these sensors', listOption)
    .option('--location <list>', 'only at these locations', listOption)
    .option('--metric <list>', 'only these metrics', listOption)
    .action(async (file: string, options: ExportOptions & Filters) => {
      const { measurement, sensor, location, metric, from, to } = options;
      const parameters = { measurement, sensor, location, metric, from, to };
      await (await import('./transfer/export.ts')).exportTo(file, parameters, options);
    });
  withTransfer(program.command('import'))
    .description('store the rows of a file that was exported, or of line protocol; again changes nothing')
    .argument('<file>', 'CSV, line protocol or Parquet')
    .addOption(
      new Option('--precision <unit>', 'of the timestamps of line protocol')
        .choices(['ns', 'us', 'ms', 's'])
        .default('ns'),
    )
    .action(async (file: string, options: ImportOptions) =>
      (await import('./transfer/import.ts')).importFile(file, options),
    );
}

function withTransfer(command: Command): Command {
  return withOutput(withHttp(command)).addOption(
    new Option('--format <format>', "csv, line or parquet (default: by the file's name)").choices(
      transferFormats,
    ),
  );
}
