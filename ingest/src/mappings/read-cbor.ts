import { messageOf } from '@tidemark/core';
import { Decoder } from 'cbor-x';
import type { Fault } from '../decoders/decoded.ts';

const MAX_DEPTH = 64;
const BREAK = 0xff;
const INDEFINITE = 31;
/** Date and time as text or number, large integers, and "this is CBOR": RFC 8949 section 3.4. No other is of a sensor. */
const knownTags = new Set([0, 1, 2, 3, 55_799]);

const decoder = new Decoder({ mapsAsObjects: true, useRecords: false });

/** The value that a payload is, or why it is none. Nothing is allocated for what is only announced. */
export function readCbor(payload: Buffer): { value: unknown } | Omit<Fault, 'index'> {
  if (payload.length === 0) return { reason: 'empty', detail: 'the payload is empty' };
  const problem = cborProblem(payload);
  if (problem !== undefined) return { reason: 'malformed_cbor', detail: problem };
  try {
    return { value: decoder.decode(payload) };
  } catch (error) {
    return { reason: 'malformed_cbor', detail: messageOf(error) };
  }
}

/** Why bytes are not one well-formed item of CBOR (RFC 8949 appendix C) that may be decoded; undefined when they are. */
function cborProblem(bytes: Buffer): string | undefined {
  /** Items that each open array or map waits for; Infinity where it ends by a break. */
  const open: number[] = [1];
  let at = 0;
  while (open.length > 0) {
    if (at >= bytes.length) return 'it ends in the middle of an item';
    const first = bytes[at]!;
    if (first === BREAK) {
      if (open.at(-1) !== Number.POSITIVE_INFINITY) return `there is a break at byte ${at} that ends nothing`;
      open.pop();
      at++;
      closeFull(open);
      continue;
    }
    const head = readHead(bytes, at);
    if (typeof head === 'string') return head;
    at = head.next;
    open[open.length - 1]!--;
    const items = itemsOf(head);
    if (items === undefined) at += head.length;
    else if (open.length > MAX_DEPTH) return `it is nested deeper than ${MAX_DEPTH}`;
    else if (items !== Number.POSITIVE_INFINITY && items > bytes.length - at)
      return 'it announces more than it holds';
    else open.push(items);
    closeFull(open);
  }
  return at === bytes.length ? undefined : `there is more behind the item that ends at byte ${at}`;
}

function closeFull(open: number[]): void {
  while (open.at(-1) === 0) open.pop();
}

interface Head {
  major: number;
  isIndefinite: boolean;
  /** Bytes of a text, items of an array, pairs of a map, or a tag. */
  value: number;
  next: number;
  /** Bytes behind the head. */
  length: number;
}

function readHead(bytes: Buffer, at: number): Head | string {
  const first = bytes[at]!;
  const major = first >> 5;
  const short = first & 31;
  const isIndefinite = short === INDEFINITE;
  if (short > 27 && !isIndefinite) return `byte ${at} begins no item`;
  if (isIndefinite && (major < 2 || major > 5)) return `byte ${at} begins no item`;
  const width = short < 24 || isIndefinite ? 0 : 1 << (short - 24);
  const next = at + 1 + width;
  if (next > bytes.length) return 'it ends in the middle of an item';
  const value = short < 24 ? short : width === 0 ? 0 : readUnsigned(bytes, at + 1, width);
  const isText = (major === 2 || major === 3) && !isIndefinite;
  if (major === 6 && !knownTags.has(value)) return `it holds a tag that is not read: ${value}`;
  if (isText && value > bytes.length - next) return 'it announces more than it holds';
  return { major, isIndefinite, value, next, length: isText ? value : 0 };
}

/** What the item holds of others; undefined for none. */
function itemsOf({ major, isIndefinite, value }: Head): number | undefined {
  if (major === 6) return 1;
  if (major < 2 || major > 5) return undefined;
  if (isIndefinite) return Number.POSITIVE_INFINITY;
  if (major === 4) return value;
  return major === 5 ? 2 * value : undefined;
}

function readUnsigned(bytes: Buffer, at: number, width: number): number {
  return width === 8 ? Number(bytes.readBigUInt64BE(at)) : bytes.readUIntBE(at, width);
}
