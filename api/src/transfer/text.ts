import { setImmediate } from 'node:timers/promises';
import type { Point } from '@tidemark/core';

/** Points that are made text before others get their turn. */
const PIECE_POINTS = 1000;

/** Points as the bytes of a file of text, piece by piece. */
export async function* textOf(
  pages: AsyncIterable<readonly Point[]>,
  writer: { rows(points: readonly Point[]): string },
  header = '',
): AsyncGenerator<Uint8Array> {
  if (header !== '') yield Buffer.from(header);
  for await (const page of pages) {
    for (let start = 0; start < page.length; start += PIECE_POINTS) {
      yield Buffer.from(writer.rows(page.slice(start, start + PIECE_POINTS)));
      await setImmediate();
    }
  }
}
