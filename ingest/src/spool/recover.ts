import { mkdir, open, readdir, rename, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { TidemarkError } from '@tidemark/core';
import type { DamageKeeper } from './damage.ts';
import { decodeRecord, findMarker } from './record.ts';
import {
  baseOfFileName,
  decodeHeader,
  readFully,
  SEGMENT_HEADER_BYTES,
  segmentPath,
  syncDirectory,
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
  /** No server stamp may be this or lower. */
  stampFloorNs: bigint;
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
  let stampFloorNs = 0n;
  let endOffset = 0;
  // From the newest back: the newest that can be read is the one whose tail may be torn.
  for (const base of bases) {
    const found = await inspect(directory, base, segments.length === 0, damage);
    // Also behind what was set aside: an offset never means two things.
    endOffset = Math.max(endOffset, found.end);
    if (!found.segment) continue;
    if (found.stampFloorNs > stampFloorNs) stampFloorNs = found.stampFloorNs;
    segments.unshift(found.segment);
  }
  segments.forEach(({ end }, index) => {
    const next = segments[index + 1]?.base ?? endOffset;
    if (next > end) damage.missing(end, next - end);
  });
  await syncDirectory(directory);
  return { segments, endOffset, stampFloorNs };
}

interface Inspected {
  /** Undefined when the file is no segment. */
  segment: SegmentInfo | undefined;
  /** Log offset behind the file. */
  end: number;
  stampFloorNs: bigint;
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
      return { segment: undefined, end: base + size, stampFloorNs: 0n };
    }
    const { stampFloorNs } = header;
    if (!isLast) return { segment: { base, end: base + size }, end: base + size, stampFloorNs };
    const bytes = await readFully(handle, 0, size);
    const { end, newestNs } = findEnd(bytes);
    if (end < size) {
      await damage.keep(base + end, bytes.subarray(end), 'torn tail');
      await truncate(path, end);
    }
    return {
      segment: { base, end: base + end },
      end: base + end,
      stampFloorNs: newestNs > stampFloorNs ? newestNs : stampFloorNs,
    };
  } finally {
    await handle.close();
  }
}

/** Behind the last whole record of a segment, and the newest time of acceptance in it. */
function findEnd(bytes: Buffer): { end: number; newestNs: bigint } {
  let end = SEGMENT_HEADER_BYTES;
  let newestNs = 0n;
  for (let position = SEGMENT_HEADER_BYTES; position !== -1 && position < bytes.length; ) {
    const record = decodeRecord(bytes, position);
    if (record !== 'damaged' && 'end' in record) {
      end = record.end;
      if (record.acceptedNs > newestNs) newestNs = record.acceptedNs;
      position = record.end;
    } else {
      position = findMarker(bytes, position + 1);
    }
  }
  return { end, newestNs };
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
