import { crc32 } from 'node:zlib';

/**
 * One record of a segment: a header of 24 bytes, then the payload. Little endian.
 *
 *   0  u32  marker, so that the next record can be found behind a damaged one
 *   4  u32  payload length in bytes
 *   8  u32  CRC-32 of bytes 12 to the end of the payload, and of the length
 *  12  u8   kind
 *  13  u8   flags: 1 the time of acceptance is a stamp, 2 the record names its delivery
 *  14  u16  zero
 *  16  u64  time of acceptance, ns since 1970
 *  24  u64  only by flag 2: what tells the delivery from others
 *  32  u64  only by flag 2: the first stamp that it was given, ns since 1970
 */
const RECORD_HEADER_BYTES = 24;
const DELIVERY_BYTES = 16;
const GAVE_STAMPS = 1;
const NAMES_DELIVERY = 2;
/** The largest payload a record may hold; a longer length is damage. */
const MAX_PAYLOAD_BYTES = 256 * 1024 * 1024;

/**
 * What a record's payload is: points as exact lines, a refusal as JSON, late points as exact lines, or line protocol
 * as it came, behind a comment line that names the unit of its timestamps.
 */
export const recordKinds = { points: 1, refusal: 2, latePoints: 3, lines: 4 } as const;
export type RecordKind = (typeof recordKinds)[keyof typeof recordKinds];

/** A message whose readings were stamped, so that the same one is known when it is sent again. */
export interface DeliveryStamp {
  /** 64 bits that tell it from others. */
  idHigh: number;
  idLow: number;
  firstNs: bigint;
}

/** What a record says of the stamps in it. */
export interface RecordStamps {
  /** True when the time of acceptance is the last stamp that this message was given, above all given before. */
  areNew: boolean;
  delivery: DeliveryStamp | undefined;
}

/** A record's payload: text, or bytes in parts. */
export type Payload = string | readonly Uint8Array[];

const MARKER = 0x4b44_4954; // "TIDK"
const markerBytes = Buffer.from('TIDK', 'latin1');

export interface DecodedRecord {
  kind: number;
  acceptedNs: bigint;
  stamps: RecordStamps | undefined;
  payload: Buffer;
  /** Position behind the record. */
  end: number;
}

/** True for the kinds that hold points. */
export function holdsPoints(kind: number): boolean {
  return kind !== recordKinds.refusal;
}

/** Bytes that records are encoded into one after another; grows by doubling. */
export class RecordBuffer {
  length = 0;
  #bytes: Buffer;
  #view: DataView;

  constructor(capacityBytes: number) {
    this.#bytes = Buffer.allocUnsafeSlow(capacityBytes);
    this.#view = viewOf(this.#bytes);
  }

  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.length);
  }

  push(kind: RecordKind, acceptedNs: bigint, payload: Payload, stamps?: RecordStamps): void {
    const start = this.length;
    this.#reserve(RECORD_HEADER_BYTES + DELIVERY_BYTES + mostBytesOf(payload));
    const flags = flagsOf(stamps);
    const payloadStart = start + headerBytes(flags);
    const payloadBytes = this.#writePayload(payload, payloadStart);
    const end = payloadStart + payloadBytes;
    this.#view.setUint32(start, MARKER, true);
    this.#view.setUint32(start + 4, payloadBytes, true);
    this.#view.setUint32(start + 12, kind | (flags << 8), true);
    this.#view.setBigUint64(start + 16, acceptedNs, true);
    if (stamps?.delivery) this.#writeDelivery(start + RECORD_HEADER_BYTES, stamps.delivery);
    this.#view.setUint32(start + 8, checksum(this.#bytes, start, end), true);
    this.length = end;
  }

  #writePayload(payload: Payload, start: number): number {
    if (typeof payload === 'string') return this.#bytes.write(payload, start);
    let end = start;
    for (const part of payload) {
      this.#bytes.set(part, end);
      end += part.length;
    }
    return end - start;
  }

  clear(): void {
    this.length = 0;
  }

  #writeDelivery(start: number, { idHigh, idLow, firstNs }: DeliveryStamp): void {
    this.#view.setUint32(start, idLow, true);
    this.#view.setUint32(start + 4, idHigh, true);
    this.#view.setBigUint64(start + 8, firstNs, true);
  }

  #reserve(moreBytes: number): void {
    const needed = this.length + moreBytes;
    if (needed <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2));
    this.#bytes.copy(larger, 0, 0, this.length);
    this.#bytes = larger;
    this.#view = viewOf(larger);
  }
}

/**
 * The record at `position`; `short` when the bytes end before it does (with how many it needs), `damaged`
 * when it is none.
 */
export function decodeRecord(
  bytes: Buffer,
  position: number,
): DecodedRecord | { needsBytes: number } | 'damaged' {
  if (bytes.length - position < RECORD_HEADER_BYTES) return { needsBytes: RECORD_HEADER_BYTES };
  if (bytes.readUInt32LE(position) !== MARKER) return 'damaged';
  const payloadBytes = bytes.readUInt32LE(position + 4);
  if (payloadBytes > MAX_PAYLOAD_BYTES) return 'damaged';
  const flags = bytes[position + 13]!;
  const payloadStart = position + headerBytes(flags);
  const end = payloadStart + payloadBytes;
  if (end > bytes.length) return { needsBytes: end - position };
  if (bytes.readUInt32LE(position + 8) !== checksum(bytes, position, end)) return 'damaged';
  return {
    kind: bytes[position + 12]!,
    acceptedNs: bytes.readBigUInt64LE(position + 16),
    stamps: stampsOf(bytes, position, flags),
    payload: bytes.subarray(payloadStart, end),
    end,
  };
}

/** In UTF-8 each unit of a string may take three bytes. */
function mostBytesOf(payload: Payload): number {
  if (typeof payload === 'string') return payload.length * 3;
  return payload.reduce((sum, { length }) => sum + length, 0);
}

function flagsOf(stamps: RecordStamps | undefined): number {
  if (stamps === undefined) return 0;
  return (stamps.areNew ? GAVE_STAMPS : 0) | (stamps.delivery ? NAMES_DELIVERY : 0);
}

function headerBytes(flags: number): number {
  return (flags & NAMES_DELIVERY) === 0 ? RECORD_HEADER_BYTES : RECORD_HEADER_BYTES + DELIVERY_BYTES;
}

function stampsOf(bytes: Buffer, position: number, flags: number): RecordStamps | undefined {
  if (flags === 0) return undefined;
  const areNew = (flags & GAVE_STAMPS) !== 0;
  if ((flags & NAMES_DELIVERY) === 0) return { areNew, delivery: undefined };
  const start = position + RECORD_HEADER_BYTES;
  const idLow = bytes.readUInt32LE(start);
  const idHigh = bytes.readUInt32LE(start + 4);
  return { areNew, delivery: { idHigh, idLow, firstNs: bytes.readBigUInt64LE(start + 8) } };
}

/** The whole records in `bytes` from `position` on, passing over what lies between them. */
export function* wholeRecords(bytes: Buffer, position: number): Generator<DecodedRecord> {
  for (let at = position; at !== -1 && at < bytes.length; ) {
    const record = decodeRecord(bytes, at);
    if (record !== 'damaged' && 'end' in record) {
      yield record;
      at = record.end;
    } else {
      at = findMarker(bytes, at + 1);
    }
  }
}

/** Position of the next marker at or after `position`, or -1. */
export function findMarker(bytes: Buffer, position: number): number {
  return bytes.indexOf(markerBytes, position);
}

/** `crcTable[n * 256 + byte]`: what a byte does to the CRC when n more bytes follow it. */
const crcTable = makeCrcTable();

/** Records that are so long are worth a call into zlib. */
const LONG_BYTES = 512;

/** CRC-32 (ISO 3309), eight bytes a step: for records of some 80 bytes half the time of a call into zlib.crc32. */
function checksum(bytes: Buffer, start: number, end: number): number {
  if (end - start >= LONG_BYTES)
    return crc32(bytes.subarray(start + 12, end), crc32(bytes.subarray(start + 4, start + 8)));
  const crc = crcOf(bytes, start + 4, start + 8, -1);
  return ~crcOf(bytes, start + 12, end, crc) >>> 0;
}

function crcOf(bytes: Buffer, start: number, end: number, before: number): number {
  let crc = before;
  let at = start;
  for (; at + 8 <= end; at += 8) {
    crc ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    crc =
      crcTable[0x700 | (crc & 255)]! ^
      crcTable[0x600 | ((crc >>> 8) & 255)]! ^
      crcTable[0x500 | ((crc >>> 16) & 255)]! ^
      crcTable[0x400 | (crc >>> 24)]! ^
      crcTable[0x300 | bytes[at + 4]!]! ^
      crcTable[0x200 | bytes[at + 5]!]! ^
      crcTable[0x100 | bytes[at + 6]!]! ^
      crcTable[bytes[at + 7]!]!;
  }
  for (; at < end; at++) crc = crcTable[(crc ^ bytes[at]!) & 255]! ^ (crc >>> 8);
  return crc;
}

function makeCrcTable(): Int32Array {
  const table = new Int32Array(8 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? 0xedb8_8320 ^ (crc >>> 1) : crc >>> 1;
    table[byte] = crc;
  }
  for (let index = 256; index < table.length; index++) {
    const crc = table[index - 256]!;
    table[index] = table[crc & 255]! ^ (crc >>> 8);
  }
  return table;
}

function viewOf(buffer: Buffer): DataView {
  return new DataView(buffer.buffer, buffer.byteOffset, buffer.length);
}
