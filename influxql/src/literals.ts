import { parseDuration } from '@tidemark/core';

const escapes: Record<string, string> = { n: '\n' };

/** The text of a quoted identifier or a string literal. */
export function unquote(image: string): string {
  const inner = image.slice(1, -1);
  return inner.includes('\\') ? inner.replace(/\\(.)/g, (_, char: string) => escapes[char] ?? char) : inner;
}

/** The source of `/…/`; a slash in it is escaped. */
export function regexSource(image: string): string {
  return image.slice(1, -1).replace(/\\\//g, '/');
}

/** `1h30m` in nanoseconds; `u` is a microsecond too. */
export function durationNs(image: string): bigint {
  return parseDuration(image.replace(/(\d)u(?!s)/g, '$1us')) ?? 0n;
}
