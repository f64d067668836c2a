import { once } from 'node:events';
import { createWriteStream, existsSync, statSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { decodeBackup, syncPath, TidemarkError } from '@tidemark/core';
import { openAnswer } from './ask.ts';
import { type ConnectionOptions, httpConnection } from './connection.ts';
import { namingFullDisk } from './failure.ts';
import { type OutputOptions, printResult, withProgress } from './progress.ts';
import { bytesText } from './transfer/files.ts';

export type BackupOptions = ConnectionOptions & OutputOptions;

/** Copies all that a running platform holds into a file; it has its name once it is whole and on stable storage. */
export async function backup(path: string, options: BackupOptions): Promise<void> {
  const connection = httpConnection(options);
  const file = fileFor(path);
  const part = `${file}.part`;
  let bytes = 0;
  let files = 0;
  try {
    await withProgress({
      title: 'Backup',
      output: options,
      snapshot: () => ({ text: bytesText(bytes), data: { bytes } }),
      run: async () => {
        const body = await openAnswer(connection, 'backup');
        const written = writeTo(part, body, (length) => {
          bytes += length;
        });
        // Read as it comes, so that one that is cut off is never taken for whole.
        for await (const item of decodeBackup(written)) if (item.kind === 'end') files = item.files;
      },
    });
    await makeDurable(part, file);
  } catch (error) {
    await rm(part, { force: true });
    throw namingFullDisk(error, `${file}, of which ${bytesText(bytes)} were written`);
  }
  const text = `${file}: ${bytesText(bytes)} in ${files} files; restore it with: tidemark restore ${file}`;
  printResult(options, { text, data: { file, bytes, files } });
}

function fileFor(path: string): string {
  const isFolder = existsSync(path) && statSync(path).isDirectory();
  const stamp = new Date().toISOString().replace(/\.\d+/, '').replaceAll(':', '');
  const file = isFolder ? join(path, `tidemark-${stamp}.backup`) : path;
  if (existsSync(file))
    throw new TidemarkError('conflict', `${file} is there already; remove it, or choose another name`);
  return file;
}

/** Writes chunks to a file and passes them on; the file is closed when the last is taken. */
async function* writeTo(
  file: string,
  chunks: AsyncIterable<Uint8Array>,
  onChunk: (length: number) => void,
): AsyncGenerator<Uint8Array> {
  // Hashes of tokens and passwords are in it.
  const out = createWriteStream(file, { flags: 'w', mode: 0o600 });
  const failed = once(out, 'close').then(() => {
    if (out.errored) throw out.errored;
  });
  failed.catch(() => {});
  try {
    for await (const chunk of chunks) {
      onChunk(chunk.length);
      if (!out.write(chunk)) await Promise.race([once(out, 'drain'), failed]);
      yield chunk;
    }
  } finally {
    out.end();
    await failed;
  }
}

async function makeDurable(part: string, file: string): Promise<void> {
  await syncPath(part);
  await rename(part, file);
  await syncPath(dirname(file));
}
