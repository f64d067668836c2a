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
  bases.sort((a, b) => a - b);
  const segments: SegmentInfo[] = [];
  let stampFloorNs = 0n;
  for (const [index, base] of bases.entries()) {
    const isLast = index === bases.length - 1;
    const found = await inspect(directory, base, isLast, damage);
    if (!found) continue;
    const previous = segments.at(-1);
    if (previous && found.segment.base > previous.end)
      damage.missing(previous.end, found.segment.base - previous.end);
    if (found.stampFloorNs > stampFloorNs) stampFloorNs = found.stampFloorNs;
    segments.push(found.segment);
  }
  await syncDirectory(directory);
  return { segments, endOffset: segments.at(-1)?.end ?? 0, stampFloorNs };
}

async function inspect(
  directory: string,
  base: number,
  isLast: boolean,
  damage: DamageKeeper,
): Promise<{ segment: SegmentInfo; stampFloorNs: bigint } | undefined> {
  const path = segmentPath(directory, base);
  const handle = await open(path, 'r');
  try {
    const { size } = await handle.stat();
    const header = decodeHeader(await readFully(handle, 0, SEGMENT_HEADER_BYTES));
    if (header === 'newer') throw new TidemarkError('store_newer', `${path} was written by a newer Tidemark`);
    if (header === undefined || header.base !== base) {
      await setAside(directory, path, base, size, damage);
      return undefined;
    }
    if (!isLast) return { segment: { base, end: base + size }, stampFloorNs: header.stampFloorNs };
    const bytes = await readFully(handle, 0, size);
    const { end, newestNs } = findEnd(bytes);
    if (end < size) {
      await damage.keep(base + end, bytes.subarray(end), 'torn tail');
      await truncate(path, end);
    }
    const stampFloorNs = newestNs > header.stampFloorNs ? newestNs : header.stampFloorNs;
    return { segment: { base, end: base + end }, stampFloorNs };
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
