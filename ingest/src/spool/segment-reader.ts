import { open } from 'node:fs/promises';
import type { DamageKeeper } from './damage.ts';
import { decodePoints, EntryBlock, type SpoolEntry } from './entry.ts';
import { type DecodedRecord, decodeRecord, findMarker } from './record.ts';
import { readFully, SEGMENT_HEADER_BYTES } from './segment.ts';

interface ReadRequest {
  path: string;
  /** Log offset of the segment's first byte. */
  base: number;
  /** Log offset to read from; any, also one inside a record. */
  offset: number;
  /** Log offset behind the last byte that may be read. */
  limit: number;
  chunkBytes: number;
  /** Where unreadable bytes go; without it they are passed over unseen (a reader at an arbitrary offset). */
  damage?: DamageKeeper | undefined;
}

interface ReadResult {
  entries: SpoolEntry[];
  /** Where to go on; `limit` when the segment has no more. */
  nextOffset: number;
}

/** Reads entries of one segment from the disk, passing over what is damaged. */
export async function readSegment(request: ReadRequest): Promise<ReadResult> {
  const { path, base, limit, damage } = request;
  const offset = Math.max(request.offset, base + SEGMENT_HEADER_BYTES);
  if (offset >= limit) return { entries: [], nextOffset: limit };
  const handle = await open(path, 'r');
  try {
    for (let chunkBytes = request.chunkBytes; ; ) {
      const isRest = offset + chunkBytes >= limit;
      const bytes = await readFully(handle, offset - base, Math.min(chunkBytes, limit - offset));
      const scan = scanRecords(bytes, offset, isRest || bytes.length < chunkBytes);
      for (const { start, end } of scan.damaged)
        await damage?.keep(offset + start, bytes.subarray(start, end), 'unreadable record');
      const nextOffset = isRest ? limit : offset + scan.position;
      if (isRest && offset + bytes.length < limit)
        damage?.missing(offset + bytes.length, limit - offset - bytes.length);
      if (isRest || scan.position > 0) return { entries: scan.block.entriesFrom(offset), nextOffset };
      chunkBytes = Math.max(scan.needsBytes, chunkBytes * 2);
    }
  } finally {
    await handle.close();
  }
}

interface Scan {
  block: EntryBlock;
  damaged: { start: number; end: number }[];
  /** Behind the last byte dealt with. */
  position: number;
  /** How many bytes the record at `position` wants. */
  needsBytes: number;
}

/** Decodes the records in `bytes`; at the log's end (`isRest`) an incomplete record is damage, else it waits. */
function scanRecords(bytes: Buffer, offset: number, isRest: boolean): Scan {
  const scan: Scan = { block: new EntryBlock(offset), damaged: [], position: 0, needsBytes: 0 };
  while (scan.position < bytes.length) {
    const record = decodeRecord(bytes, scan.position);
    if (record !== 'damaged' && 'end' in record) {
      const isReadable = pushRecord(scan.block, scan.position, record);
      if (!isReadable) scan.damaged.push({ start: scan.position, end: record.end });
      scan.position = record.end;
      continue;
    }
    if (record !== 'damaged' && !isRest) {
      scan.needsBytes = record.needsBytes;
      return scan;
    }
    const end = nextReadable(bytes, scan.position + 1, isRest);
    scan.damaged.push({ start: scan.position, end });
    scan.position = end;
  }
  return scan;
}

/** Position of the next whole record; the end of the bytes, less a marker that they may cut, when there is none. */
function nextReadable(bytes: Buffer, from: number, isRest: boolean): number {
  for (let position = findMarker(bytes, from); position !== -1; position = findMarker(bytes, position + 1)) {
    const record = decodeRecord(bytes, position);
    if (record === 'damaged') continue;
    if ('end' in record || !isRest) return position;
  }
  return isRest ? bytes.length : Math.max(from, bytes.length - 3);
}

/** False when the text within a sound checksum can't be read: that must not stop what lies behind it. */
function pushRecord(block: EntryBlock, start: number, record: DecodedRecord): boolean {
  const points = decodePoints(record.kind, record.payload);
  if (points === undefined) return false;
  block.push(
    start,
    record.end,
    record.kind,
    record.acceptedNs,
    points,
    points.length > 0 ? '' : record.payload.toString('utf8'),
  );
  return true;
}
