import { LineFault } from './line-values.ts';
import type { Tag } from './point.ts';

const NEWLINE = 10;
const SPACE = 32;
const COMMA = 44;
const EQUALS = 61;
const BACKSLASH = 92;

const reservedTags = new Set(['time', '_field', '_measurement']);

/** The measurement and tags that stand at `start` to `end`; throws `LineFault`. */
export function readSeries(
  bytes: Buffer,
  start: number,
  end: number,
  escapesAll: boolean,
): { measurement: string; tags: readonly Tag[] } {
  const tagEnd = { escapesAll, stopsAtEquals: true };
  let at = endOfName(bytes, start, end, { escapesAll, stopsAtEquals: false });
  if (at === start) throw new LineFault('missing measurement');
  const measurement = nameAt(bytes, start, at, escapesAll);
  const tags: Tag[] = [];
  while (at < end) {
    const keyStart = at + 1;
    const keyEnd = endOfName(bytes, keyStart, end, tagEnd);
    if (keyEnd === keyStart) throw new LineFault('missing tag key');
    if (keyEnd === end || bytes[keyEnd] !== EQUALS) throw new LineFault('missing tag value');
    at = endOfName(bytes, keyEnd + 1, end, tagEnd);
    if (at === keyEnd + 1) throw new LineFault('missing tag value');
    if (at < end && bytes[at] === EQUALS) throw new LineFault('invalid tag format');
    tags.push([nameAt(bytes, keyStart, keyEnd, escapesAll), nameAt(bytes, keyEnd + 1, at, escapesAll)]);
  }
  tags.sort(([a], [b]) => (a < b ? -1 : Number(a > b)));
  tags.forEach(([key], index) => {
    if (index > 0 && tags[index - 1]![0] === key) throw new LineFault('duplicate tags');
    if (!escapesAll && reservedTags.has(key))
      throw new LineFault(`cannot use reserved tag key ${JSON.stringify(key)}`);
  });
  return { measurement, tags: Object.freeze(tags) };
}

/** Position of the comma, space, newline or (where it stops there) `=` that ends the name, or `end`. */
export function endOfName(
  bytes: Buffer,
  start: number,
  end: number,
  { escapesAll, stopsAtEquals }: { escapesAll: boolean; stopsAtEquals: boolean },
): number {
  let at = start;
  for (; at < end; at++) {
    const code = bytes[at]!;
    if (code === BACKSLASH) {
      if (isEscaped(bytes, at + 1, escapesAll)) at += 1;
    } else if (code === COMMA || code === SPACE || code === NEWLINE || (code === EQUALS && stopsAtEquals))
      break;
  }
  return Math.min(at, end);
}

/** The name at `start` to `end`, without its escapes. */
export function nameAt(bytes: Buffer, start: number, end: number, escapesAll: boolean): string {
  const raw = bytes.toString('utf8', start, end);
  if (!raw.includes('\\')) return raw;
  return raw.replace(escapesAll ? /\\([\s\S])/g : /\\([,= ])/g, '$1');
}

/** True when a backslash before the position escapes what stands there. */
export function isEscaped(bytes: Buffer, at: number, escapesAll: boolean): boolean {
  const next = bytes[at];
  return escapesAll ? next !== undefined : next === COMMA || next === EQUALS || next === SPACE;
}
