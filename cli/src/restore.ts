import { createReadStream } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { type BackupHeader, decodeBackup, syncPath, TidemarkError } from '@tidemark/core';
import { claimDataDir } from './data-dir.ts';
import { namingFullDisk } from './failure.ts';
import { type OutputOptions, printResult, withProgress } from './progress.ts';
import { loadSettings } from './settings.ts';
import { bytesText } from './transfer/files.ts';

export interface RestoreOptions extends OutputOptions {
  config?: string;
  dataDir?: string;
}

/** Of a folder that was made before anything ran on it. */
const harmless = ['lock', 'restoring'];

/**
 * Makes a data folder from a backup. Everything is written beside first and moved into its place once the backup was
 * seen to be whole, so that a folder is never half restored without a word.
 */
export async function restore(file: string, options: RestoreOptions): Promise<void> {
  const config = loadSettings({ file: options.config, overrides: { dataDir: options.dataDir } });
  const dataDir = resolve(config.dataDir);
  const claimed = claimDataDir(dataDir);
  try {
    await refuseData(dataDir);
    let bytes = 0;
    const staging = join(dataDir, 'restoring');
    await rm(staging, { recursive: true, force: true });
    let header: BackupHeader | undefined;
    try {
      header = await withProgress({
        title: 'Restore',
        output: options,
        snapshot: () => ({ text: bytesText(bytes), data: { bytes } }),
        run: () =>
          unpack(file, staging, (length) => {
            bytes += length;
          }),
      });
      await moveIntoPlace(staging, dataDir);
      claimed.syncNames();
    } catch (error) {
      throw namingFullDisk(error, `${dataDir}, of which ${bytesText(bytes)} were restored`);
    } finally {
      await rm(staging, { recursive: true, force: true });
    }
    const text = `${dataDir} is as it was at ${header.time}; start the platform with TIDEMARK_DATA_DIR=${dataDir}`;
    printResult(options, { text, data: { dataDir, time: header.time, bytes } });
  } finally {
    claimed.release();
  }
}

async function refuseData(dataDir: string): Promise<void> {
  const found = (await readdir(dataDir)).filter((name) => !harmless.includes(name.replace(/-.*/, '')));
  if (found.length === 0) return;
  const message = `${dataDir} holds data (${found.slice(0, 3).join(', ')}); restore into a new folder with --data-dir`;
  throw new TidemarkError('data_dir_unusable', message);
}

/** Writes the files of a backup below a folder, durably; answers what the backup says of itself. */
async function unpack(
  file: string,
  folder: string,
  onBytes: (length: number) => void,
): Promise<BackupHeader> {
  let header: BackupHeader | undefined;
  let handle: FileHandle | undefined;
  const finish = async () => {
    await handle?.sync();
    await handle?.close();
    handle = undefined;
  };
  try {
    for await (const part of decodeBackup(createReadStream(file, { highWaterMark: 1024 * 1024 }))) {
      if (part.kind === 'header') header = part.header;
      else if (part.kind === 'data') {
        await handle!.write(part.data);
        onBytes(part.data.length);
      } else {
        await finish();
        if (part.kind === 'end') return header!;
        const path = join(folder, part.file.path);
        await mkdir(dirname(path), { recursive: true, mode: 0o700 });
        handle = await open(path, 'wx', 0o600);
      }
    }
  } finally {
    await handle?.close();
  }
  throw new TidemarkError('store_damaged', 'this is no whole backup: it has no end');
}

/** The mark of a store first: while that is there, nothing starts without the store's file, which comes last. */
async function moveIntoPlace(staging: string, dataDir: string): Promise<void> {
  await writeFile(
    join(dataDir, 'store.created'),
    'A restore was begun; without a store beside it, it was cut short.\n',
  );
  for (const name of ['meta.db', 'spool', 'store'])
    await rename(join(staging, name), join(dataDir, name)).catch((error: NodeJS.ErrnoException) => {
      // Before the first message there is no log.
      if (error.code !== 'ENOENT' || name !== 'spool') throw error;
    });
  for (const name of [dataDir, join(dataDir, 'store')]) await syncPath(name);
  await rmdir(staging);
}
