import { nextTurn } from '@tidemark/core';

/** Some milliseconds of work at most; less would be more pieces than a client's socket likes. */
const PIECE_CHARS = 32 * 1024;

/**
 * The body of an answer whose text is made as it is read, a piece at a time between which others get their turn; `onEnd` is
 * called when all is made, or nobody reads on. What fits one piece comes whole.
 */
export function textBody(parts: Iterator<string>, onEnd = () => {}): string | ReadableStream<Uint8Array> {
  const first = nextPiece(parts);
  if (first.isLast) {
    onEnd();
    return first.text;
  }
  const encoder = new TextEncoder();
  let piece: Piece | undefined = first;
  return new ReadableStream({
    async pull(controller) {
      if (piece === undefined) {
        await nextTurn();
        piece = nextPiece(parts);
      }
      const { text, isLast } = piece;
      piece = undefined;
      if (text !== '') controller.enqueue(encoder.encode(text));
      if (!isLast) return;
      controller.close();
      onEnd();
    },
    cancel() {
      parts.return?.();
      onEnd();
    },
  });
}

interface Piece {
  text: string;
  isLast: boolean;
}

function nextPiece(parts: Iterator<string>): Piece {
  let text = '';
  while (text.length < PIECE_CHARS) {
    const { value, done } = parts.next();
    if (done === true) return { text, isLast: true };
    text += value;
  }
  return { text, isLast: false };
}
