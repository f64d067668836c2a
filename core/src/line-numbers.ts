// Numbers as they stand in the bytes of a line, without a string made of them.

const DOT = 46;
const MINUS = 45;
const ZERO = 48;
const NINE = 57;

/** Doubles hold every whole number of so many digits. */
const EXACT_DIGITS = 15;
/** Powers of ten that a double holds exactly; a quotient of two exact numbers is rounded once, as it should be. */
const powersOfTen = Array.from({ length: 23 }, (_, exponent) => Number(`1e${exponent}`));

/**
 * The decimal number (`-1.5`, `.5`, `5.`) at `start` to `end`; undefined when it is none or has an exponent or more
 * than 15 digits.
 */
export function plainNumber(bytes: Uint8Array, start: number, end: number): number | undefined {
  const isNegative = bytes[start] === MINUS;
  let at = isNegative ? start + 1 : start;
  const firstDigit = at;
  let digits = 0;
  let point = -1;
  for (; at < end; at++) {
    const code = bytes[at]!;
    if (code >= ZERO && code <= NINE) digits = digits * 10 + (code - ZERO);
    else if (code === DOT && point === -1) point = at;
    else return undefined;
  }
  const digitCount = end - firstDigit - (point === -1 ? 0 : 1);
  if (digitCount === 0 || digitCount > EXACT_DIGITS) return undefined;
  const value = point === -1 ? digits : digits / powersOfTen[end - point - 1]!;
  return isNegative ? -value : value;
}

/** How timestamps of a unit become seconds and nanoseconds. */
export interface TimeUnit {
  /** Seconds in one unit, for units of a second or more. */
  readonly seconds: number;
  /** Digits behind the second's place, for smaller ones. */
  readonly decimals: number;
}

/** By the names of InfluxDB's `precision`. */
export const timeUnits = {
  ns: { seconds: 1, decimals: 9 },
  us: { seconds: 1, decimals: 6 },
  ms: { seconds: 1, decimals: 3 },
  s: { seconds: 1, decimals: 0 },
  m: { seconds: 60, decimals: 0 },
  h: { seconds: 3600, decimals: 0 },
} as const satisfies Record<string, TimeUnit>;

export type TimeUnitName = keyof typeof timeUnits;

/** Of a time in nanoseconds from 2001 to 2286. */
export const NANOSECOND_DIGITS = 19;

/**
 * Reads 19 digits from `start` as nanoseconds, into words as `readTime` does and in half its time. False when there
 * are others, or about more than 64 bits hold.
 */
export function readNanoseconds(view: DataView, start: number, words: Int32Array): boolean {
  const first = fourDigits(view, start);
  const second = fourDigits(view, start + 4);
  const third = fourDigits(view, start + 8);
  const fourth = fourDigits(view, start + 12);
  const last = fourDigits(view, start + NANOSECOND_DIGITS - 4);
  const seconds = first * 1e6 + second * 100 + ((third / 100) | 0);
  if ((first | second | third | fourth | last) < 0 || seconds >= MOST_SECONDS) return false;
  writeWords(seconds, (third % 100) * 1e7 + fourth * 1000 + (last % 1000), false, words);
  return true;
}

/** The number that four digits make, all at once; negative when one is none. */
function fourDigits(view: DataView, start: number): number {
  const digits = view.getInt32(start, true) ^ 0x3030_3030;
  if (((digits | (digits + 0x0606_0606)) & 0xf0f0_f0f0) !== 0) return -1;
  const pairs = (Math.imul(digits, 10) + (digits >>> 8)) & 0x00ff_00ff;
  return (pairs & 0xff) * 100 + (pairs >>> 16);
}

const MOST_SECONDS = 9_223_372_036;
const MOST_NANOSECONDS = 854_775_807;
const TWO_32 = 2 ** 32;
const TWO_16 = 2 ** 16;

/**
 * Reads the whole number at `start` to `end` as a time, into two 32-bit words of nanoseconds (low, high).
 * False when it is none; `out of range` when 64 bits do not hold it.
 */
export function readTime(
  bytes: Uint8Array,
  start: number,
  end: number,
  { seconds: unitSeconds, decimals }: TimeUnit,
  words: Int32Array,
): boolean | 'out of range' {
  const isNegative = bytes[start] === MINUS;
  const firstDigit = isNegative ? start + 1 : start;
  if (firstDigit === end) return false;
  const split = Math.max(firstDigit, end - decimals);
  let seconds = 0;
  let at = firstDigit;
  for (; at < split; at++) {
    const digit = bytes[at]! - ZERO;
    if (digit < 0 || digit > 9) return false;
    seconds = seconds * 10 + digit;
  }
  let fraction = 0;
  for (; at < end; at++) {
    const digit = bytes[at]! - ZERO;
    if (digit < 0 || digit > 9) return false;
    fraction = fraction * 10 + digit;
  }
  seconds *= unitSeconds;
  const nanoseconds = fraction * powersOfTen[9 - decimals]!;
  const most = isNegative ? MOST_NANOSECONDS + 1 : MOST_NANOSECONDS;
  if (seconds > MOST_SECONDS || (seconds === MOST_SECONDS && nanoseconds > most)) return 'out of range';
  writeWords(seconds, nanoseconds, isNegative, words);
  return true;
}

/** seconds × 10⁹ + nanoseconds in two words, by doubles that hold each step exactly. */
function writeWords(seconds: number, nanoseconds: number, isNegative: boolean, words: Int32Array): void {
  const upper = Math.floor(seconds / TWO_16);
  const high = upper * 1e9;
  const low = (seconds - upper * TWO_16) * 1e9 + nanoseconds;
  const highQuotient = Math.floor(high / TWO_16);
  const lowQuotient = Math.floor(low / TWO_32);
  let lowWord = (high - highQuotient * TWO_16) * TWO_16 + (low - lowQuotient * TWO_32);
  let highWord = highQuotient + lowQuotient;
  if (lowWord >= TWO_32) {
    lowWord -= TWO_32;
    highWord += 1;
  }
  if (isNegative) {
    lowWord = lowWord === 0 ? 0 : TWO_32 - lowWord;
    highWord = lowWord === 0 ? -highWord : -highWord - 1;
  }
  words[0] = lowWord;
  words[1] = highWord;
}
