import { plainNumber } from './line-numbers.ts';
import { type FieldValue, Uint64 } from './point.ts';

/** Why a line holds no point. */
export class LineFault extends Error {}

const DOT = 46;
const LETTER_I = 105;
const MIN_INT64 = -(2n ** 63n);
const MAX_INT64 = 2n ** 63n - 1n;
const MAX_UINT64 = 2n ** 64n - 1n;
const floatPattern = /^-?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?$/;
const trueWords = new Set(['t', 'T', 'true', 'True', 'TRUE']);
const falseWords = new Set(['f', 'F', 'false', 'False', 'FALSE']);

/** An integer (`-12i`) that a double holds too; undefined for all else. */
export function readInteger(bytes: Uint8Array, start: number, end: number): bigint | undefined {
  if (bytes[end - 1] !== LETTER_I) return undefined;
  for (let at = start; at < end - 1; at++) if (bytes[at] === DOT) return undefined;
  const whole = plainNumber(bytes, start, end - 1);
  return whole === undefined ? undefined : BigInt(whole);
}

/** A value that is no string and no plain number. */
export function readValue(raw: string): Exclude<FieldValue, string> {
  if (floatPattern.test(raw)) {
    const value = Number(raw);
    if (!Number.isFinite(value)) throw new LineFault('invalid float');
    return value;
  }
  if (trueWords.has(raw)) return true;
  if (falseWords.has(raw)) return false;
  if (/^-?\d+i$/.test(raw)) return wholeNumber(raw, 'integer', MIN_INT64, MAX_INT64);
  if (/^\d+u$/.test(raw)) return new Uint64(wholeNumber(raw, 'unsigned', 0n, MAX_UINT64));
  if (/^-?(?:\d+\.?\d*|\.\d+)[eE]/.test(raw)) throw new LineFault('invalid float');
  throw new LineFault(/^[-.\dnN]/.test(raw) ? 'invalid number' : 'invalid boolean');
}

function wholeNumber(raw: string, type: 'integer' | 'unsigned', least: bigint, most: bigint): bigint {
  const digits = raw.slice(0, -1);
  const value = digits.length <= 40 ? BigInt(digits) : most + 1n;
  if (value >= least && value <= most) return value;
  const call = type === 'integer' ? 'ParseInt' : 'ParseUint';
  throw new LineFault(
    `unable to parse ${type} ${digits}: strconv.${call}: parsing "${digits}": value out of range`,
  );
}
