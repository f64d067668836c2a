import type { Command } from 'commander';
import type { BackupOptions } from './backup.ts';
import { withConfig, withHttp, withOutput } from './command-options.ts';
import type { RestoreOptions } from './restore.ts';

/** `tidemark backup` and `tidemark restore`. */
export function addBackupCommands(program: Command): void {
  withOutput(withHttp(program.command('backup')))
    .description('copy all that a running platform holds into one file')
    .argument('<path>', 'the file to make, or a folder to make one in')
    .action(async (path: string, options: BackupOptions) =>
      (await import('./backup.ts')).backup(path, options),
    );
  withOutput(withConfig(program.command('restore')))
    .description('make a data folder from a backup; the platform must not run on it')
    .argument('<file>', 'what `tidemark backup` made')
    .option('--data-dir <folder>', 'the folder to make; it may hold no data (default: that of the settings)')
    .action(async (file: string, options: RestoreOptions) =>
      (await import('./restore.ts')).restore(file, options),
    );
}
