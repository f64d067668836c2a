import { isUtf8 } from 'node:buffer';
import { asBuffer, type Mapping } from '@tidemark/core';
import type { Fault, Limits } from '../decoders/decoded.ts';
import { parsePayload } from '../decoders/json.ts';
import { readCbor } from './read-cbor.ts';
import { readCsv } from './read-csv.ts';
import type { Part } from './reading-mapper.ts';

type Problem = Omit<Fault, 'index'>;
type Format = Pick<Mapping, 'format' | 'csv'>;

/** The parts of a message that make a reading each, and those that cannot. */
export interface Parts {
  parts: Part[];
  faults: Fault[];
  /** Set where a part alone could not be read again. */
  isWhole: boolean;
}

/** The parts of a message; what is wrong with the whole of it is returned instead. */
export function readParts(payload: Buffer, { format, csv }: Format, limits: Limits): Parts | Problem {
  if (format === 'csv') return readCsv(payload, csv ?? { delimiter: ',' }, limits);
  const read = readValue(payload, format);
  if ('reason' in read) return read;
  const { value } = read;
  if (!Array.isArray(value))
    return { parts: [{ root: value, index: 0, raw: undefined }], faults: [], isWhole: false };
  if (value.length === 0) return { reason: 'empty', detail: 'the array is empty' };
  if (value.length > limits.maxReadingsPerMessage) {
    const detail = `${value.length} readings; the limit is ${limits.maxReadingsPerMessage}`;
    return { reason: 'too_many_readings', detail };
  }
  const isWhole = format !== 'json';
  const parts = value.map((root: unknown, index) => ({ root, index, raw: isWhole ? undefined : root }));
  return { parts, faults: [], isWhole };
}

/** A message as an expression is given it. */
export function readWhole(payload: Buffer, mapping: Format, limits: Limits): { value: unknown } | Problem {
  const { format } = mapping;
  if (format === 'json' || format === 'cbor') return readValue(payload, format);
  if (format === 'value')
    return isUtf8(payload)
      ? { value: unquoted(asBuffer(payload).toString('utf8').trim()) }
      : { reason: 'invalid_utf8', detail: 'the payload is no UTF-8' };
  const read = readParts(payload, mapping, limits);
  if ('reason' in read) return read;
  return read.faults[0] ?? { value: read.parts.map(({ root }) => root) };
}

/** A JSON string is the text in it. */
export function unquoted(text: string): string {
  if (!text.startsWith('"')) return text;
  try {
    return String(JSON.parse(text));
  } catch {
    return text;
  }
}

function readValue(payload: Buffer, format: Mapping['format']): { value: unknown } | Problem {
  if (format === 'cbor') return readCbor(payload);
  const read = parsePayload(payload);
  return 'faults' in read ? read.faults[0]! : read;
}
