import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { endOfLines, endOfRows, wholeLines } from '@tidemark/api';
import { TidemarkError } from '@tidemark/core';
import { type ConnectionOptions, type HttpConnection, httpConnection } from '../connection.ts';
import { untilInterrupted } from '../interrupt.ts';
import {
  type OutputOptions,
  printJson,
  printNotice,
  printResult,
  type Snapshot,
  withProgress,
} from '../progress.ts';
import { formatOfFile, type TransferFormat } from './files.ts';
import { askStream } from './http-stream.ts';
import { type ImportAnswer, readImportAnswer } from './import-answer.ts';

/** Text goes in parts of this size: each is durable when it is answered, and a fault costs one part. */
const PART_BYTES = 8 * 1024 * 1024;
const MAX_LINE_BYTES = 64 * 1024 * 1024;
/** How often a part is sent while the platform cannot be reached or cannot take it, and the pause between. */
const MAX_TRIES = 30;
const RETRY_MS = 2000;
/** Refused rows told one by one; the quarantine has all. */
const MAX_TOLD = 20;

const contentTypes: Record<TransferFormat, string> = {
  csv: 'text/csv',
  line: 'text/plain',
  parquet: 'application/vnd.apache.parquet',
};

export interface ImportOptions extends ConnectionOptions, OutputOptions {
  format?: TransferFormat;
  precision: string;
}

/** A piece of the file that can be sent again. */
interface Part {
  open: () => Readable;
  /** Of the file, that it is up to. */
  endBytes: number;
}

/**
 * Stores the rows of a file on a running platform. Running it again changes nothing where rows are there already. Throws
 * when the file cannot be read, when no row was accepted, and when it was interrupted.
 */
export async function importFile(file: string, options: ImportOptions): Promise<void> {
  const format = options.format ?? formatOfFile(file);
  if (format === undefined)
    throw new TidemarkError(
      'bad_request',
      `the name of ${file} tells no format; say --format csv, line or parquet`,
    );
  const { size } = await stat(file);
  const run = new ImportRun({ file, format, sizeBytes: size, options });
  await untilInterrupted(async (signal) => {
    try {
      await withProgress({
        title: basename(file),
        output: options,
        snapshot: () => run.snapshot(),
        run: () => run.run(signal),
      });
    } finally {
      printResult(options, run.result());
    }
  });
  if (run.counts.accepted === 0 && run.counts.rows > 0)
    throw new TidemarkError('bad_request', `no row of ${file} was accepted; the quarantine has them`);
}

interface ImportRunParts {
  file: string;
  format: TransferFormat;
  sizeBytes: number;
  options: ImportOptions;
}

class ImportRun {
  readonly counts = { accepted: 0, refused: 0, rows: 0 };
  readonly #parts: ImportRunParts;
  readonly #connection: HttpConnection;
  readonly #startMs = performance.now();
  #bytesDone = 0;
  /** Of the part that is being answered. */
  #underWay: Partial<ImportAnswer> = {};
  #told = 0;

  constructor(parts: ImportRunParts) {
    this.#parts = parts;
    this.#connection = httpConnection(parts.options);
  }

  async run(signal: AbortSignal): Promise<void> {
    for await (const part of partsOf(this.#parts)) {
      const { rejected, ...counts } = await this.#send(part, signal);
      this.counts.accepted += counts.accepted;
      this.counts.refused += counts.refused;
      this.counts.rows += counts.rows;
      this.#bytesDone = part.endBytes;
      this.#underWay = {};
      for (const row of rejected) this.#tell(row);
    }
  }

  snapshot(): Snapshot {
    const { sizeBytes } = this.#parts;
    const { accepted = 0, refused = 0, rows = 0, total } = this.#underWay;
    const sent = sizeBytes === 0 ? 1 : this.#bytesDone / sizeBytes;
    const share = total === undefined ? sent : rows / total;
    const elapsedMs = Math.round(performance.now() - this.#startMs);
    const counts = {
      accepted: this.counts.accepted + accepted,
      refused: this.counts.refused + refused,
      rows: this.counts.rows + rows,
    };
    const ratePerS = elapsedMs === 0 ? 0 : Math.round((counts.accepted / elapsedMs) * 1000);
    return {
      text: `${counts.accepted} accepted, ${counts.refused} refused, ${Math.floor(share * 100)} %, ${ratePerS}/s`,
      data: { ...counts, percent: Math.round(share * 1000) / 10, ratePerS, elapsedMs },
    };
  }

  result(): Snapshot {
    const { file, sizeBytes } = this.#parts;
    const { accepted, refused, rows } = this.counts;
    const rest = this.#bytesDone < sizeBytes ? '; not the whole file: run it again' : '';
    const { data } = this.snapshot();
    return {
      text: `${file}: ${rows} rows, ${accepted} accepted, ${refused} refused${rest}`,
      data: { file, ...data },
    };
  }

  /** Sends a part until it is answered: sent twice, it changes nothing. */
  async #send(part: Part, signal: AbortSignal): Promise<ImportAnswer> {
    const { format, options } = this.#parts;
    for (let tries = 1; ; tries++) {
      try {
        const response = await askStream(this.#connection, {
          method: 'POST',
          path: 'import',
          parameters: {
            format,
            firstRow: this.counts.rows + 1,
            ...(format === 'line' && { precision: options.precision }),
          },
          contentType: contentTypes[format],
          // Text is answered part by part.
          ...(format === 'parquet' && { answerType: 'application/x-ndjson' }),
          body: part.open(),
          signal,
          accepts: 422,
        });
        return await readImportAnswer(response, (answer) => {
          this.#underWay = answer;
        });
      } catch (error) {
        if (signal.aborted) throw new TidemarkError('unavailable', 'interrupted before the end of the file');
        const mayHeal = error instanceof TidemarkError && error.retryable;
        if (!mayHeal || tries >= MAX_TRIES) throw error;
        if (tries === 1) printNotice(options, `${error.message}; trying again`);
        await delay(RETRY_MS, undefined, { signal }).catch(() => {});
      }
    }
  }

  #tell({ row, code, detail }: ImportAnswer['rejected'][number]): void {
    const { options } = this.#parts;
    if (options.quiet || this.#told > MAX_TOLD) return;
    this.#told += 1;
    if (this.#told > MAX_TOLD) process.stderr.write('further refused rows are in the quarantine only\n');
    else if (options.json) printJson({ event: 'refused', row, code, detail });
    else process.stderr.write(`${code}: ${detail}\n`);
  }
}

async function* partsOf({ file, format, sizeBytes }: ImportRunParts): AsyncGenerator<Part> {
  if (format === 'parquet') {
    yield { open: () => createReadStream(file), endBytes: sizeBytes };
    return;
  }
  let endBytes = 0;
  let header: Buffer | undefined;
  const endOf = format === 'csv' ? endOfRows : endOfLines;
  for await (const part of wholeLines(createReadStream(file), PART_BYTES, {
    maxLineBytes: MAX_LINE_BYTES,
    endOf,
  })) {
    const body = header === undefined ? [part] : [header, part];
    endBytes += part.length;
    yield { open: () => Readable.from(body), endBytes };
    if (format === 'csv') header ??= Buffer.from(part.subarray(0, part.indexOf(10) + 1));
  }
}
