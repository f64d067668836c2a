import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { segmentsIn } from './oracle/spool-files.ts';

const HEADER_BYTES = 32;
/** Where a header holds the log offset of its segment's first byte. */
const BASE_POSITION = 8;
const SEGMENT_BYTES = 64 * 1024 * 1024;

/**
 * Makes a spool as large as after hours without a store: writes the largest segment's records again and again
 * into segments behind it. The same readings at the same times, they change nothing of what is stored.
 */
export async function growSpool(dataDir: string, bytes: number): Promise<void> {
  const segments = await Promise.all((await segmentsIn(dataDir)).map((path) => readFile(path)));
  const newest = segments.at(-1)!;
  const largest = segments.reduce((a, b) => (a.length >= b.length ? a : b));
  const header = largest.subarray(0, HEADER_BYTES);
  const records = largest.subarray(HEADER_BYTES);
  if (records.length === 0) throw new Error('the spool holds no record to go by');
  let base = Number(newest.readBigUInt64LE(BASE_POSITION)) + newest.length;
  for (let left = bytes; left > 0; left -= SEGMENT_BYTES) {
    const copies = Math.floor(SEGMENT_BYTES / records.length);
    header.writeBigUInt64LE(BigInt(base), BASE_POSITION);
    const handle = await open(join(dataDir, 'spool', `${String(base).padStart(16, '0')}.seg`), 'w');
    await handle.writeFile(header);
    for (let copy = 0; copy < copies; copy++) await handle.writeFile(records);
    await handle.close();
    base += HEADER_BYTES + copies * records.length;
  }
}
