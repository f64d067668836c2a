import { parseDuration } from '@tidemark/core';
import type { IToken } from 'chevrotain';
import { ParseError } from './parse-error.ts';

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

/** An integer of 64 bits at most, as InfluxDB reads it. */
export function integerOf({ image, startLine = 1, startColumn = 1 }: IToken): bigint {
  const value = BigInt(image);
  if (value < 2n ** 64n) return value;
  throw new ParseError(`unable to parse integer at line ${startLine}, char ${startColumn}`);
}
