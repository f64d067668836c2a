const NEWLINE = 10;
const SPACE = 32;
const QUOTE = 34;
const EQUALS = 61;
const BACKSLASH = 92;

/** Line protocol in parts of about `partBytes` that end where a line ends; the last one as it comes. */
export async function* wholeLines(
  chunks: AsyncIterable<Uint8Array>,
  partBytes: number,
): AsyncGenerator<Buffer> {
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  let wantedBytes = partBytes;
  for await (const chunk of chunks) {
    held.push(chunk);
    heldBytes += chunk.length;
    if (heldBytes < wantedBytes) continue;
    const bytes = Buffer.concat(held);
    const end = endOfLines(bytes);
    if (end > 0) yield bytes.subarray(0, end);
    // A line that is longer than a part is not searched again with each chunk.
    wantedBytes = end > 0 ? partBytes : heldBytes * 2;
    held = [bytes.subarray(end)];
    heldBytes = bytes.length - end;
  }
  if (heldBytes > 0) yield Buffer.concat(held);
}

/** Position behind the last newline that ends a line, which one inside a string does not; 0 where there is none. */
function endOfLines(bytes: Buffer): number {
  if (!bytes.includes(QUOTE)) return bytes.lastIndexOf(NEWLINE) + 1;
  let end = 0;
  let isInFields = false;
  let isInString = false;
  for (let at = 0; at < bytes.length; at++) {
    const code = bytes[at];
    if (code === BACKSLASH) {
      at += 1;
    } else if (isInString) {
      isInString = code !== QUOTE;
    } else if (code === NEWLINE) {
      end = at + 1;
      isInFields = false;
    } else if (code === SPACE) {
      isInFields = true;
    } else if (code === QUOTE) {
      isInString = isInFields && bytes[at - 1] === EQUALS;
    }
  }
  return end;
}
