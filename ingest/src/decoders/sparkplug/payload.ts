import { isUtf8 } from 'node:buffer';
import { BinaryReader } from '@bufbuild/protobuf/wire';
import { messageOf } from '@tidemark/core';
import { Payload } from './generated/sparkplug_b.ts';

/** Reads a payload of Sparkplug B; answers why it is none. */
export function readPayload(bytes: Uint8Array): Payload | string {
  const reader = new BinaryReader(bytes, readText);
  try {
    const payload = Payload.decode(reader);
    // The codec ends, without a word, at a tag that no message has.
    if (reader.pos !== bytes.length) return `byte ${reader.pos} begins no field`;
    const { timestamp, metrics, seq } = payload;
    const isNothing = timestamp === undefined && seq === undefined && metrics.length === 0;
    return isNothing && bytes.length > 0 ? 'it holds no field of a payload' : payload;
  } catch (error) {
    return messageOf(error);
  }
}

/** The library would put a replacement for what is no UTF-8. */
function readText(bytes: Uint8Array): string {
  if (!isUtf8(bytes)) throw new Error('a text is no UTF-8');
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}
