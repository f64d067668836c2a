import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { type FieldValue, type ImportedRow, type Point, TidemarkError, Uint64 } from '@tidemark/core';
import { type ParquetRows, readParquet, writeParquet } from '@tidemark/store';
import { CellReader, RowFault, tagsCell } from './cells.ts';

/** Transfers at a time; each is a process and a file of its own. */
const MAX_RUNNING = 2;
/** Room that the disk keeps for what is acknowledged. */
const SPARE_BYTES = 512 * 1024 * 1024;
/** How often that is looked at. */
const CHECK_EVERY_BYTES = 16 * 1024 * 1024;
const CHECK_EVERY_PAGES = 16;

/** Parquet files on their way out and in, in a folder of the data folder that holds nothing else. */
export class ParquetTransfers {
  readonly #folder: string;
  readonly #spareBytes: number;
  #running = 0;
  #cleared: Promise<void> | undefined;

  constructor({ dataDir, spareBytes = SPARE_BYTES }: { dataDir: string; spareBytes?: number }) {
    this.#folder = join(dataDir, 'transfers');
    this.#spareBytes = spareBytes;
  }

  /** The points as the bytes of one file. Throws a retryable `unavailable` when there is no room for it. */
  async *write(pages: AsyncIterable<readonly Point[]>, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    yield* this.#within(async function* (this: ParquetTransfers, folder: string) {
      const file = join(folder, 'export.parquet');
      await writeParquet(this.#watched(pages), { folder, file, signal, tagsCell });
      yield* createReadStream(file) as AsyncIterable<Uint8Array>;
    });
  }

  /** Rows of the file that the body is; `onTotal` is told first how many there are. Throws `bad_request` when it is none, and `unavailable` as `write`. */
  async *read(
    body: AsyncIterable<Uint8Array>,
    { signal, onTotal }: { signal: AbortSignal; onTotal: (rows: number) => void },
  ): AsyncGenerator<ImportedRow[]> {
    yield* this.#within(async function* (this: ParquetTransfers, folder: string) {
      const file = join(folder, 'import.parquet');
      await pipeline(this.#measured(body), createWriteStream(file));
      const reader = new CellReader();
      let index = 0;
      for await (const columns of readParquet({ folder, file, signal, onTotal })) {
        yield columns[0].map((_, row) => toRow(columns, row, index + row, reader));
        index += columns[0].length;
      }
    });
  }

  /** Runs a transfer in a folder of its own, which is gone afterwards. */
  async *#within<T>(
    transfer: (this: ParquetTransfers, folder: string) => AsyncGenerator<T>,
  ): AsyncGenerator<T> {
    if (this.#running >= MAX_RUNNING)
      throw unavailable(`${MAX_RUNNING} Parquet files are being made or read already`);
    this.#running += 1;
    let folder: string | undefined;
    try {
      // What a crash left.
      this.#cleared ??= rm(this.#folder, { recursive: true, force: true });
      await this.#cleared;
      await mkdir(this.#folder, { recursive: true });
      await this.#checkRoom();
      folder = await mkdtemp(join(this.#folder, 'parquet-'));
      yield* transfer.call(this, folder);
    } finally {
      this.#running -= 1;
      if (folder !== undefined) await rm(folder, { recursive: true, force: true });
    }
  }

  async *#watched<T>(pages: AsyncIterable<T>): AsyncGenerator<T> {
    let count = 0;
    for await (const page of pages) {
      if (count++ % CHECK_EVERY_PAGES === 0) await this.#checkRoom();
      yield page;
    }
  }

  async *#measured(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    let bytes = 0;
    for await (const chunk of chunks) {
      if (bytes > CHECK_EVERY_BYTES) {
        await this.#checkRoom();
        bytes = 0;
      }
      bytes += chunk.byteLength;
      yield chunk;
    }
  }

  async #checkRoom(): Promise<void> {
    const { bavail, bsize } = await statfs(this.#folder);
    if (bavail * bsize < this.#spareBytes)
      throw unavailable('the disk has no room for a Parquet file; use CSV or line protocol, which need none');
  }
}

function unavailable(message: string): TidemarkError {
  return new TidemarkError('unavailable', message, { retryable: true });
}

function toRow(columns: ParquetRows, row: number, index: number, reader: CellReader): ImportedRow {
  const [times, measurements, sensors, locations, tags, fields, ...values] = columns;
  try {
    const timeNs = times[row];
    if (timeNs === null || timeNs === undefined) throw new RowFault('bad_time', 'it has no time');
    const cells = {
      measurement: measurements[row]!,
      sensor: sensors[row]!,
      location: locations[row]!,
      tags: tags[row]!,
      field: fields[row]!,
    };
    return { index, point: reader.point(cells, timeNs, valueIn(values, row)) };
  } catch (error) {
    if (!(error instanceof RowFault)) throw error;
    const cells = columns.map((column) => String(column[row] ?? ''));
    return { index, reason: error.reason, detail: error.message, raw: JSON.stringify(cells) };
  }
}

const UNSIGNED = 2;

/** The one value of the row. */
function valueIn(columns: readonly (FieldValue | null)[][], row: number): FieldValue {
  const found = columns.findIndex((column) => column[row] !== null);
  if (found === -1) throw new RowFault('missing_value', 'it has no value');
  if (columns.findLastIndex((column) => column[row] !== null) !== found)
    throw new RowFault('wrong_type', 'it has values of several types');
  const value = columns[found]![row]!;
  if (typeof value === 'number' && !Number.isFinite(value))
    throw new RowFault('not_finite', 'its value is not finite');
  return found === UNSIGNED ? new Uint64(value as bigint) : value;
}
