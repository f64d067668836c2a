import { decodeUtf8 } from './read-body.ts';

/**
 * Lines of a stream of UTF-8, in groups of at most `maxLines`, without blank ones.
 * Holds one group and one chunk at a time. Throws `bad_request` at bytes that are no UTF-8.
 */
export async function* readLines(
  chunks: AsyncIterable<Uint8Array>,
  maxLines: number,
): AsyncGenerator<string[]> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let rest: string[] = [];
  let group: string[] = [];
  for await (const chunk of chunks) {
    const parts = decodeUtf8(decoder, chunk, true).split('\n');
    for (const part of parts.slice(0, -1)) {
      rest.push(part);
      const line = rest.join('').trim();
      rest = [];
      if (line === '') continue;
      group.push(line);
      if (group.length < maxLines) continue;
      yield group;
      group = [];
    }
    rest.push(parts.at(-1)!);
  }
  rest.push(decodeUtf8(decoder));
  const last = rest.join('').trim();
  if (last !== '') group.push(last);
  if (group.length > 0) yield group;
}
