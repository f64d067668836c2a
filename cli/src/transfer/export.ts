import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { basename } from 'node:path';
import { Transform, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { messageOf, TidemarkError } from '@tidemark/core';
import type { QueryParameters } from '../ask.ts';
import { type ConnectionOptions, httpConnection } from '../connection.ts';
import { untilInterrupted } from '../interrupt.ts';
import { type OutputOptions, printNotice, printResult, type Snapshot, withProgress } from '../progress.ts';
import { bytesText, formatOfFile, type TransferFormat } from './files.ts';
import { askStream } from './http-stream.ts';

export interface ExportOptions extends ConnectionOptions, OutputOptions {
  format?: TransferFormat;
}

/**
 * Writes what a running platform has stored to a file, or to standard output for `-`. A file is there only once it is
 * whole.
 */
export async function exportTo(
  file: string,
  parameters: QueryParameters,
  options: ExportOptions,
): Promise<void> {
  const format = options.format ?? formatOfFile(file) ?? 'csv';
  const counter = new ByteCounter();
  const isStandardOutput = file === '-';
  const output = isStandardOutput ? { quiet: true } : options;
  await untilInterrupted((signal) =>
    withProgress({
      title: isStandardOutput ? 'export' : basename(file),
      output,
      snapshot: () => counter.snapshot(),
      run: async () => {
        const response = await askStream(httpConnection(options), {
          method: 'GET',
          path: 'export',
          parameters: { ...parameters, format },
          signal,
        });
        const lagMs = response.headers['tidemark-lag-ms'];
        if (lagMs !== undefined)
          printNotice(
            output,
            `what was accepted in the last ${lagMs} ms is not stored yet, and not exported`,
          );
        const through = (target: Writable, end: boolean) =>
          pipeline(response, counter.stream, target, { end }).catch((cause: unknown) => {
            const message = `the export broke off after ${counter.bytes} bytes (${messageOf(cause)}); run it again`;
            throw new TidemarkError('unavailable', message, { cause });
          });
        if (isStandardOutput) return through(process.stdout, false);
        await toFile(file, (target) => through(target, true));
      },
    }),
  );
  const { text, data } = counter.snapshot();
  printResult(output, { text: `${file}: ${text}`, data: { file, format, ...data } });
}

async function toFile(file: string, write: (target: Writable) => Promise<void>): Promise<void> {
  const part = `${file}.part`;
  try {
    await write(createWriteStream(part, { flush: true }));
    await rename(part, file);
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
}

class ByteCounter {
  bytes = 0;
  readonly stream: Transform;
  readonly #startMs = performance.now();

  constructor() {
    this.stream = new Transform({
      transform: (chunk: Buffer, _encoding, done) => {
        this.bytes += chunk.length;
        done(null, chunk);
      },
    });
  }

  snapshot(): Snapshot {
    const elapsedMs = Math.round(performance.now() - this.#startMs);
    const bytesPerS = elapsedMs === 0 ? 0 : Math.round((this.bytes / elapsedMs) * 1000);
    const text = `${bytesText(this.bytes)} in ${(elapsedMs / 1000).toFixed(1)} s (${bytesText(bytesPerS)}/s)`;
    return { text, data: { bytes: this.bytes, elapsedMs, bytesPerS } };
  }
}
