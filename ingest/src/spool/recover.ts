import { mkdir, open, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { syncPath, TidemarkError } from '@tidemark/core';
import type { DamageKeeper } from './damage.ts';
import { type DecodedRecord, wholeRecords } from './record.ts';
import {
  baseOfFileName,
  decodeHeader,
  readFully,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
  segmentPath,
} from './segment.ts';

/** A segment on disk; `end` is the log offset behind its last byte. */
export interface SegmentInfo {
  base: number;
  end: number;
}

export interface Recovered {
  /** In log order. */
  segments: SegmentInfo[];
  endOffset: number;
  /** The last stamp that the log knows of; 0 when it knows none. */
  lastStampNs: bigint;
}

/**
 * Brings a spool directory into order after any kind of stop: files that are no segments are set aside,
 * a torn tail is cut off and kept. Never needs a file deleted by hand.
 */
export async function recover(directory: string, damage: DamageKeeper): Promise<Recovered> {
  await mkdir(directory, { recursive: true });
  const names = await readdir(directory);
  const bases = names.map(baseOfFileName).filter((base) => base !== undefined);
  bases.sort((a, b) => b - a);
  const segments: SegmentInfo[] = [];
  let lastStampNs = 0n;
  let endOffset = 0;
  // From the newest back: the newest that can be read is the one whose tail may be torn.
  for (const base of bases) {
    const found = await inspect(directory, base, segments.length === 0, damage);
    // Also behind what was set aside: an offset never means two things.
    endOffset = Math.max(endOffset, found.end);
    if (!found.segment) continue;
    // The last one given, not the highest: the clock may have been set back since.
    if (segments.length === 0) lastStampNs = found.lastStampNs;
    segments.unshift(found.segment);
  }
  segments.forEach((segment, index) => {
    const next = segments[index + 1]?.base ?? endOffset;
    if (next > segment.end) damage.missing(segment.end, next - segment.end);
    // A tail that was cut off may be back after a power cut; what is in the next segment is what was promised.
    segment.end = Math.min(segment.end, next);
  });
  await syncPath(directory);
  return { segments, endOffset, lastStampNs };
}

interface TellOptions {
  directory: string;
  segments: readonly SegmentInfo[];
  /** How much of the end of the log is read. */
  maxBytes: number;
  tell: (record: DecodedRecord) => void;
}

/** Tells the newest whole records of the log, in their order; what cannot be read is passed over. */
export async function tellNewest({ directory, segments, maxBytes, tell }: TellOptions): Promise<void> {
  const endOffset = segments.at(-1)?.end ?? 0;
  for (const { base, end } of segments) {
    const from = Math.max(base + SEGMENT_HEADER_BYTES, endOffset - maxBytes);
    if (from >= end) continue;
    const handle = await open(segmentPath(directory, base), 'r');
    try {
      const bytes = await readFully(handle, from - base, end - from);
      for (const record of wholeRecords(bytes, 0)) tell(record);
    } finally {
      await handle.close();
    }
  }
}

interface Inspected {
  /** Undefined when the file is no segment. */
  segment: SegmentInfo | undefined;
  /** Log offset behind the file. */
  end: number;
  lastStampNs: bigint;
}

async function inspect(
  directory: string,
  base: number,
  isLast: boolean,
  damage: DamageKeeper,
): Promise<Inspected> {
  const path = segmentPath(directory, base);
  const handle = await open(path, 'r');
  try {
    const { size } = await handle.stat();
    const header = decodeHeader(await readFully(handle, 0, SEGMENT_HEADER_BYTES));
    if (header === 'newer') throw new TidemarkError('store_newer', `${path} was written by a newer Tidemark`);
    if (header === undefined || header.base !== base) {
      await setAside(directory, path, base, size, damage);
      return { segment: undefined, end: base + size, lastStampNs: 0n };
    }
    if (!isLast)
      return { segment: { base, end: base + size }, end: base + size, lastStampNs: header.lastStampNs };
    const bytes = await readFully(handle, 0, size);
    const { end, lastStampNs } = findEnd(bytes, header);
    const tail = withoutZeros(bytes.subarray(end));
    if (tail.length > 0) await damage.keep(base + end, tail, 'torn tail');
    await writeAgain(path, bytes.subarray(0, end));
    return { segment: { base, end: base + end }, end: base + end, lastStampNs };
  } finally {
    await handle.close();
  }
}

/** Behind the last whole record of a segment, and the last stamp given in it. */
function findEnd(bytes: Buffer, header: SegmentHeader): { end: number; lastStampNs: bigint } {
  let end = SEGMENT_HEADER_BYTES;
  let { lastStampNs } = header;
  for (const record of wholeRecords(bytes, SEGMENT_HEADER_BYTES)) {
    end = record.end;
    // Format 1 did not say which times are stamps.
    if (record.stamps?.areNew ?? header.format === 1) lastStampNs = record.acceptedNs;
  }
  return { end, lastStampNs };
}

/** Less the zeros at its end, which are written ahead of records. */
function withoutZeros(tail: Buffer): Buffer {
  let length = tail.length;
  while (length > 0 && tail[length - 1] === 0) length -= 1;
  return tail.subarray(0, length);
}

/**
 * Makes what was read of the newest segment durable, and cuts off what is behind, so that it never comes back to cover
 * the segment that is begun there. Pages whose fdatasync failed in an earlier run are read as written, and count as
 * clean: only once they are written again does an fsync mean that they are on the disk. Needs no room.
 */
async function writeAgain(path: string, bytes: Buffer): Promise<void> {
  const handle = await open(path, 'r+');
  try {
    for (let done = 0; done < bytes.length; )
      done += (await handle.write(bytes, done, bytes.length - done, done)).bytesWritten;
    await handle.truncate(bytes.length);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function setAside(
  directory: string,
  path: string,
  base: number,
  size: number,
  damage: DamageKeeper,
): Promise<void> {
  if (size > 0) damage.missing(base, size);
  await mkdir(join(directory, 'damaged'), { recursive: true });
  await rename(path, join(directory, 'damaged', `${String(base).padStart(16, '0')}.seg`));
}
