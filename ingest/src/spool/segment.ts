import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * A segment is a file of records named by the log offset of its first byte. Header, 32 bytes:
 * magic with the format's version (8), base offset u64, floor of server stamps in ns u64, zero u64.
 */
export const SEGMENT_HEADER_BYTES = 32;
const magic = Buffer.from('TIDESEG1', 'latin1');
const magicStem = magic.subarray(0, 7);
const suffix = '.seg';

export interface SegmentHeader {
  base: number;
  stampFloorNs: bigint;
}

export function segmentPath(directory: string, base: number): string {
  return join(directory, `${String(base).padStart(16, '0')}${suffix}`);
}

/** The base offset a file name tells, or undefined when it is no segment's. */
export function baseOfFileName(name: string): number | undefined {
  return /^\d{16}\.seg$/.test(name) ? Number(name.slice(0, 16)) : undefined;
}

export function encodeHeader({ base, stampFloorNs }: SegmentHeader): Buffer {
  const header = Buffer.alloc(SEGMENT_HEADER_BYTES);
  magic.copy(header);
  header.writeBigUInt64LE(BigInt(base), 8);
  header.writeBigUInt64LE(stampFloorNs, 16);
  return header;
}

/** The header; `newer` when another version of the format wrote it, undefined when it is none. */
export function decodeHeader(bytes: Buffer): SegmentHeader | 'newer' | undefined {
  if (bytes.length < SEGMENT_HEADER_BYTES || !bytes.subarray(0, 7).equals(magicStem)) return undefined;
  if (bytes[7] !== magic[7]) return 'newer';
  return { base: Number(bytes.readBigUInt64LE(8)), stampFloorNs: bytes.readBigUInt64LE(16) };
}

/** Makes the directory's own entries (files made, renamed, removed) durable. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
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
