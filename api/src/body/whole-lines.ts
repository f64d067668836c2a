import { TidemarkError } from '@tidemark/core';

const NEWLINE = 10;
const SPACE = 32;
const QUOTE = 34;
const COMMA = 44;
const EQUALS = 61;
const BACKSLASH = 92;

interface LineOptions {
  /** Throws `payload_too_large` for a line that is longer; without it, no line is. */
  maxLineBytes?: number;
  /** Position behind the last end of a line in the bytes, 0 where there is none; of line protocol by default. */
  endOf?: (bytes: Buffer) => number;
}

/** Text in parts of about `partBytes` that end where a line ends; the last one as it comes. */
export async function* wholeLines(
  chunks: AsyncIterable<Uint8Array>,
  partBytes: number,
  { maxLineBytes = Number.POSITIVE_INFINITY, endOf = endOfLines }: LineOptions = {},
): AsyncGenerator<Buffer> {
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  let wantedBytes = partBytes;
  for await (const chunk of chunks) {
    held.push(chunk);
    heldBytes += chunk.length;
    if (heldBytes < wantedBytes) continue;
    const bytes = Buffer.concat(held);
    const end = endOf(bytes);
    if (end > 0) yield bytes.subarray(0, end);
    // A line that is longer than a part is not searched again with each chunk.
    wantedBytes = end > 0 ? partBytes : Math.min(heldBytes * 2, maxLineBytes);
    if (end === 0 && heldBytes > maxLineBytes) throw tooLong(maxLineBytes);
    held = [bytes.subarray(end)];
    heldBytes = bytes.length - end;
  }
  if (heldBytes > maxLineBytes) throw tooLong(maxLineBytes);
  if (heldBytes > 0) yield Buffer.concat(held);
}

/** Position behind the last newline that ends a row of CSV, which one inside quotes does not; 0 where there is none. */
export function endOfRows(bytes: Buffer): number {
  if (!bytes.includes(QUOTE)) return bytes.lastIndexOf(NEWLINE) + 1;
  let end = 0;
  let isQuoted = false;
  for (let at = 0; at < bytes.length; at++) {
    if (bytes[at] === QUOTE) isQuoted = !isQuoted;
    else if (bytes[at] === NEWLINE && !isQuoted) end = at + 1;
  }
  return end;
}

/** What a backslash in a name escapes. */
function isSpecial(code: number | undefined): boolean {
  return code === COMMA || code === EQUALS || code === SPACE;
}

function tooLong(maxLineBytes: number): TidemarkError {
  return new TidemarkError('payload_too_large', `a line is longer than ${maxLineBytes} bytes`);
}

/** Position behind the last newline that ends a line, which one inside a string does not; 0 where there is none. */
export function endOfLines(bytes: Buffer): number {
  if (!bytes.includes(QUOTE)) return bytes.lastIndexOf(NEWLINE) + 1;
  let end = 0;
  let isInFields = false;
  let isInString = false;
  for (let at = 0; at < bytes.length; at++) {
    const code = bytes[at];
    if (isInString) {
      if (code === BACKSLASH) at += 1;
      else isInString = code !== QUOTE;
    } else if (code === BACKSLASH) {
      if (isSpecial(bytes[at + 1])) at += 1;
    } else if (code === NEWLINE) {
      end = at + 1;
      isInFields = false;
    } else if (code === SPACE) {
      isInFields = true;
    } else if (code === QUOTE) {
      isInString = isInFields && bytes[at - 1] === EQUALS && bytes[at - 2] !== BACKSLASH;
    }
  }
  return end;
}
