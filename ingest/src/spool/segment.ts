import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * A segment is a file of records named by the log offset of its first byte. Header, 32 bytes:
 * magic with the format's version (8), base offset u64, last server stamp given before it in ns u64, zero u64.
 * Format 2 added the flags of records.
 */
export const SEGMENT_HEADER_BYTES = 32;
const FORMAT = 2;
const magicStem = Buffer.from('TIDESEG', 'latin1');
const suffix = '.seg';

export interface SegmentHeader {
  format: number;
  base: number;
  lastStampNs: bigint;
}

export function segmentPath(directory: string, base: number): string {
  return join(directory, `${String(base).padStart(16, '0')}${suffix}`);
}

/** The base offset a file name tells, or undefined when it is no segment's. */
export function baseOfFileName(name: string): number | undefined {
  return /^\d{16}\.seg$/.test(name) ? Number(name.slice(0, 16)) : undefined;
}

export function encodeHeader({ base, lastStampNs }: Omit<SegmentHeader, 'format'>): Buffer {
  const header = Buffer.alloc(SEGMENT_HEADER_BYTES);
  magicStem.copy(header);
  header.write(String(FORMAT), magicStem.length, 'latin1');
  header.writeBigUInt64LE(BigInt(base), 8);
  header.writeBigUInt64LE(lastStampNs, 16);
  return header;
}

/** The header; `newer` when another version of the format wrote it, undefined when it is none. */
export function decodeHeader(bytes: Buffer): SegmentHeader | 'newer' | undefined {
  if (bytes.length < SEGMENT_HEADER_BYTES || !bytes.subarray(0, 7).equals(magicStem)) return undefined;
  const format = bytes[7]! - 0x30;
  if (format < 1 || format > FORMAT) return 'newer';
  return { format, base: Number(bytes.readBigUInt64LE(8)), lastStampNs: bytes.readBigUInt64LE(16) };
}

/** Reads up to `length` bytes at `position`; fewer only at the end of the file. */
export async function readFully(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await handle.read(bytes, filled, length - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
}
