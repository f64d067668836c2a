import { crc32 } from 'node:zlib';
import { TidemarkError } from './errors.ts';

/**
 * A backup is a stream: a line of JSON that says what it is, then each file as a line with its path and length, its
 * bytes, and a line with their CRC-32; a last line counts the files, so that one that is cut off shows.
 */
export interface BackupHeader {
  format: 'tidemark-backup';
  version: number;
  /** When it was begun, RFC 3339. */
  time: string;
}

export interface BackupFile {
  path: string;
  bytes: number;
}

export type BackupPart =
  | { kind: 'header'; header: BackupHeader }
  | { kind: 'file'; file: BackupFile }
  | { kind: 'data'; data: Uint8Array }
  | { kind: 'end'; files: number };

const VERSION = 1;
const MAX_LINE_BYTES = 4096;
const NEWLINE = 10;

/** What a backup may hold: nothing else is ever written to a data folder. */
const knownPath = /^(meta\.db|store\/store\.duckdb|spool\/(\d{16}\.seg|cursors\.json))$/;

export const backupHeader = (time: string): Buffer =>
  line({ format: 'tidemark-backup', version: VERSION, time });

export const backupEnd = (files: number): Buffer => line({ files });

/** One file of a backup; `read` must give exactly as many bytes as it says. */
export async function* encodeBackupFile(
  { path, bytes }: BackupFile,
  read: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  yield line({ path, bytes });
  let crc = 0;
  let sent = 0;
  for await (const data of read) {
    crc = crc32(data, crc);
    sent += data.length;
    yield data;
  }
  if (sent !== bytes) throw new Error(`${path} gave ${sent} of ${bytes} bytes`);
  yield line({ crc32: crc });
}

/** Reads a backup part by part. Throws `store_damaged` when it is cut off or changed, `store_newer` for a later version. */
export async function* decodeBackup(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<BackupPart> {
  const input = new Input(chunks);
  yield { kind: 'header', header: checkHeader(await input.line()) };
  for (let files = 0; ; files++) {
    const next = await input.line();
    if (typeof next.files === 'number') {
      if (next.files !== files) throw damaged(`it says ${next.files} files and holds ${files}`);
      yield { kind: 'end', files };
      return;
    }
    const { path, bytes } = next;
    if (typeof path !== 'string' || !knownPath.test(path) || !Number.isSafeInteger(bytes))
      throw damaged(`it holds ${JSON.stringify(path)}, which is no file of a backup`);
    const file = { path, bytes: bytes as number };
    yield { kind: 'file', file };
    let crc = 0;
    for (let left = file.bytes; left > 0; ) {
      const data = await input.some(left);
      crc = crc32(data, crc);
      left -= data.length;
      yield { kind: 'data', data };
    }
    if ((await input.line()).crc32 !== crc) throw damaged(`${path} is not what it was`);
  }
}

/** Takes lines and bytes off a stream. */
class Input {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array();

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  async line(): Promise<Record<string, unknown>> {
    while (!this.#rest.includes(NEWLINE)) {
      if (this.#rest.length > MAX_LINE_BYTES) throw damaged('a line of it has no end');
      this.#rest = Buffer.concat([this.#rest, await this.#next()]);
    }
    const end = this.#rest.indexOf(NEWLINE);
    const text = Buffer.from(this.#rest.subarray(0, end)).toString();
    this.#rest = this.#rest.subarray(end + 1);
    try {
      return Object(JSON.parse(text)) as Record<string, unknown>;
    } catch {
      throw damaged('a line of it is no JSON');
    }
  }

  /** At least one byte, and no more than `most`. */
  async some(most: number): Promise<Uint8Array> {
    while (this.#rest.length === 0) this.#rest = await this.#next();
    const data = this.#rest.subarray(0, most);
    this.#rest = this.#rest.subarray(data.length);
    return data;
  }

  async #next(): Promise<Uint8Array> {
    const { done, value } = await this.#chunks.next();
    if (done) throw damaged('it is cut off');
    return value;
  }
}

function checkHeader(header: Record<string, unknown>): BackupHeader {
  const { format, version, time } = header;
  if (format !== 'tidemark-backup' || typeof version !== 'number' || typeof time !== 'string')
    throw damaged('it does not begin as one');
  if (version > VERSION)
    throw new TidemarkError('store_newer', `the backup was made by a newer Tidemark (version ${version})`);
  return { format, version, time };
}

function damaged(what: string): TidemarkError {
  return new TidemarkError('store_damaged', `this is no whole backup: ${what}`);
}

function line(data: Record<string, unknown>): Buffer {
  return Buffer.from(`${JSON.stringify(data)}\n`);
}
