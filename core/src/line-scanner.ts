import { asBuffer } from './as-buffer.ts';
import { plainNumber, readTime, type TimeUnit, timeUnits } from './line-numbers.ts';
import {
  isEqual,
  type KnownSeries,
  type LineField,
  type LineSeries,
  LineSeriesCache,
} from './line-series.ts';
import { type FieldValue, type Tag, Uint64 } from './point.ts';

// Line protocol as InfluxDB reads it: https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/
// What it says of a bad line is what InfluxDB 2.7 says.

export interface ScanOptions {
  /** Unit of the timestamps; nanoseconds by default. */
  unit?: TimeUnit;
  /**
   * Which backslashes escape in names: those before `,` `=` and space (InfluxDB), or all (our own logs, which may
   * also hold names that InfluxDB reserves).
   */
  escapes?: 'special' | 'all';
  /** Number of the first line; 1 by default. */
  firstLine?: number | undefined;
}

/** Why a line holds no point. */
export class LineFault extends Error {}

const NEWLINE = 10;
const RETURN = 13;
const SPACE = 32;
const QUOTE = 34;
const HASH = 35;
const COMMA = 44;
const DOT = 46;
const EQUALS = 61;
const BACKSLASH = 92;
const LETTER_I = 105;

const MIN_INT64 = -(2n ** 63n);
const MAX_INT64 = 2n ** 63n - 1n;
const MAX_UINT64 = 2n ** 64n - 1n;
/** InfluxDB keeps the outermost ones for itself. */
const MOST_TIME_NS = MAX_INT64 - 1n;
const KNOWN_SERIES = 100_000;
/** Fields of a series that are looked for; further ones are read anew each time. */
const KNOWN_FIELDS = 256;
const reservedTags = new Set(['time', '_field', '_measurement']);
const noLine = Object.freeze({ measurement: '', tags: [], fields: [] }) satisfies LineSeries;

/**
 * Reads lines one after another out of bytes. What it found of the last one stands in its members: whoever reads
 * goes through to the end before another begins.
 */
export class LineScanner {
  position = 0;
  /** Number of the line at the position, from 1. */
  line = 1;
  series: LineSeries = noLine;
  /** How many fields it has; each name stands once. */
  fieldCount = 0;
  readonly fields: LineField[] = [];
  /** Values that are floats; 0 where `others` has one of another type. */
  readonly floats: number[] = [];
  /** Values of other types, by index; empty where all are floats. */
  readonly others = new Map<number, FieldValue>();
  hasTime = false;
  readonly #timeNs = new BigInt64Array(1);
  readonly #timeWords = new Int32Array(this.#timeNs.buffer);
  readonly #known: { special: LineSeriesCache; all: LineSeriesCache };
  #bytes: Buffer = Buffer.alloc(0);
  #unit: TimeUnit = timeUnits.ns;
  #escapesAll = false;
  #scanned = 0;
  /** The series of the line before. */
  #last: KnownSeries | undefined;

  constructor(knownSeries = KNOWN_SERIES) {
    this.#known = { special: new LineSeriesCache(knownSeries), all: new LineSeriesCache(knownSeries) };
  }

  /** The halves of the time's 64 bits. */
  get timeLow(): number {
    return this.#timeWords[0]!;
  }

  get timeHigh(): number {
    return this.#timeWords[1]!;
  }

  get timeNs(): bigint {
    return this.#timeNs[0]!;
  }

  /** Begins with other bytes; what is known of series stays. */
  reset(
    bytes: Uint8Array,
    { unit = timeUnits.ns, escapes = 'special', firstLine = 1 }: ScanOptions = {},
  ): void {
    this.#bytes = asBuffer(bytes);
    this.#unit = unit;
    // What one way of escaping knows is not for the other.
    if (this.#escapesAll !== (escapes === 'all')) this.#last = undefined;
    this.#escapesAll = escapes === 'all';
    this.position = 0;
    this.line = firstLine;
  }

  atEnd(): boolean {
    return this.position >= this.#bytes.length;
  }

  /** Reads the line at the position and moves past it. False for an empty line or a comment; throws `LineFault`. */
  scanLine(): boolean {
    this.#skipSpaces();
    if (this.#atLineEnd() || this.#bytes[this.position] === HASH) {
      this.skipLine();
      return false;
    }
    this.#scanned += 1;
    this.series = this.#scanSeries();
    this.#skipSpaces();
    this.#scanFields();
    this.#skipSpaces();
    this.hasTime = !this.#atLineEnd();
    if (this.hasTime) this.#scanTime();
    this.#skipSpaces();
    if (!this.#atLineEnd()) throw new LineFault('point is invalid');
    this.position += this.#bytes[this.position] === RETURN ? 2 : 1;
    this.line += 1;
    return true;
  }

  /** Moves behind the next newline. */
  skipLine(): void {
    const newline = this.#bytes.indexOf(NEWLINE, this.position);
    this.position = newline === -1 ? this.#bytes.length : newline + 1;
    this.line += 1;
  }

  /** Measurement and tags. Senders mostly send their series in the same order each time. */
  #scanSeries(): LineSeries {
    const bytes = this.#bytes;
    const start = this.position;
    const likely = this.#last?.next;
    if (likely !== undefined) {
      const end = start + likely.key.length;
      if (bytes[end] === SPACE && isEqual(likely.key, bytes, start, end)) {
        this.#last = likely;
        this.position = end;
        return likely.series;
      }
    }
    const known = this.#lookUpSeries(start);
    if (this.#last !== undefined) this.#last.next = known;
    this.#last = known;
    return known.series;
  }

  /** The hash is FNV-1a. */
  #lookUpSeries(start: number): KnownSeries {
    const bytes = this.#bytes;
    let hash = 0x811c_9dc5 | 0;
    let at = start;
    for (; at < bytes.length; at++) {
      const code = bytes[at]!;
      if (code === SPACE || code === NEWLINE) break;
      hash = Math.imul(hash ^ code, 0x0100_0193);
      if (code === BACKSLASH && this.#escapes(at + 1)) {
        at += 1;
        hash = Math.imul(hash ^ bytes[at]!, 0x0100_0193);
      }
    }
    const end = Math.min(at, bytes.length);
    const cache = this.#escapesAll ? this.#known.all : this.#known.special;
    const known =
      cache.find(bytes, start, end, hash) ??
      cache.add(Uint8Array.prototype.slice.call(bytes, start, end), hash, this.#readSeries(start, end));
    if (end === bytes.length || bytes[end] === NEWLINE) throw new LineFault('missing fields');
    this.position = end;
    return known;
  }

  #readSeries(start: number, end: number): LineSeries {
    const bytes = this.#bytes;
    let at = this.#endOfName(start, end, false);
    if (at === start) throw new LineFault('missing measurement');
    const measurement = this.#nameAt(start, at);
    const tags: Tag[] = [];
    while (at < end) {
      const keyStart = at + 1;
      const keyEnd = this.#endOfName(keyStart, end, true);
      if (keyEnd === keyStart) throw new LineFault('missing tag key');
      if (keyEnd === end || bytes[keyEnd] !== EQUALS) throw new LineFault('missing tag value');
      at = this.#endOfName(keyEnd + 1, end, true);
      if (at === keyEnd + 1) throw new LineFault('missing tag value');
      if (at < end && bytes[at] === EQUALS) throw new LineFault('invalid tag format');
      tags.push([this.#nameAt(keyStart, keyEnd), this.#nameAt(keyEnd + 1, at)]);
    }
    tags.sort(([a], [b]) => (a < b ? -1 : Number(a > b)));
    tags.forEach(([key], index) => {
      if (index > 0 && tags[index - 1]![0] === key) throw new LineFault('duplicate tags');
      if (!this.#escapesAll && reservedTags.has(key))
        throw new LineFault(`cannot use reserved tag key ${JSON.stringify(key)}`);
    });
    return { measurement, tags: Object.freeze(tags), fields: [] };
  }

  #scanFields(): void {
    this.fieldCount = 0;
    if (this.others.size > 0) this.others.clear();
    for (let expected = 0; ; expected++) {
      const field = this.#scanFieldKey(expected);
      if (field.name === 'time' && !this.#escapesAll) throw new LineFault('invalid field name: "time"');
      if (field.lastLine === this.#scanned) {
        const earlier = this.fields.indexOf(field);
        this.others.delete(earlier);
        this.#scanValue(earlier);
      } else {
        field.lastLine = this.#scanned;
        const index = this.fieldCount++;
        this.fields[index] = field;
        this.#scanValue(index);
      }
      if (this.#bytes[this.position] !== COMMA) return;
      this.position += 1;
    }
  }

  /** The field at the position, which is most likely the one that stood here in the lines before. */
  #scanFieldKey(expected: number): LineField {
    const bytes = this.#bytes;
    const start = this.position;
    const { fields } = this.series;
    const likely = fields[expected];
    if (likely !== undefined) {
      const end = start + likely.bytes.length;
      if (bytes[end] === EQUALS && isEqual(likely.bytes, bytes, start, end)) {
        this.position = end + 1;
        return likely;
      }
    }
    const end = this.#endOfName(start, bytes.length, true);
    if (bytes[end] !== EQUALS) throw new LineFault('invalid field format');
    if (end === start) throw new LineFault('missing field key');
    this.position = end + 1;
    const known = fields.find((field) => isEqual(field.bytes, bytes, start, end));
    if (known !== undefined) return known;
    const name = this.#nameAt(start, end);
    // Two spellings of one name are one field, and only one of them is remembered.
    const same = fields.find((field) => field.name === name);
    if (same !== undefined) return same;
    const field = { name, bytes: Uint8Array.prototype.slice.call(bytes, start, end), lastLine: 0 };
    if (fields.length < KNOWN_FIELDS) {
      fields.push(field);
      return field;
    }
    return this.fields.find((earlier, index) => index < this.fieldCount && earlier.name === name) ?? field;
  }

  #scanValue(index: number): void {
    const bytes = this.#bytes;
    const start = this.position;
    this.floats[index] = 0;
    if (bytes[start] === QUOTE) {
      this.others.set(index, this.#scanString());
      return;
    }
    let end = start;
    for (; end < bytes.length; end++) {
      const code = bytes[end]!;
      if (code === COMMA || code === SPACE || code === NEWLINE) break;
    }
    if (end > start && bytes[end - 1] === RETURN && (end === bytes.length || bytes[end] === NEWLINE))
      end -= 1;
    if (end === start) throw new LineFault('missing field value');
    this.position = end;
    const plain = plainNumber(bytes, start, end);
    if (plain !== undefined) {
      this.floats[index] = plain;
      return;
    }
    const value = readInteger(bytes, start, end) ?? readValue(bytes.toString('latin1', start, end));
    if (typeof value === 'number') this.floats[index] = value;
    else this.others.set(index, value);
  }

  #scanString(): string {
    const bytes = this.#bytes;
    const start = this.position + 1;
    let hasEscape = false;
    let newlines = 0;
    for (let at = start; at < bytes.length; at++) {
      const code = bytes[at];
      if (code === BACKSLASH) {
        hasEscape = true;
        at += 1;
      } else if (code === QUOTE) {
        const raw = bytes.toString('utf8', start, at);
        this.position = at + 1;
        this.line += newlines;
        if (!this.#atLineEnd() && bytes[at + 1] !== COMMA && bytes[at + 1] !== SPACE)
          throw new LineFault('invalid field format');
        return hasEscape ? raw.replace(/\\(["\\])/g, '$1') : raw;
      }
      if (bytes[at] === NEWLINE) newlines += 1;
    }
    throw new LineFault('unbalanced quotes');
  }

  #scanTime(): void {
    const bytes = this.#bytes;
    const start = this.position;
    let end = start;
    for (; end < bytes.length; end++) {
      const code = bytes[end]!;
      if (code === SPACE || code === NEWLINE) break;
      if (code === RETURN && (end + 1 === bytes.length || bytes[end + 1] === NEWLINE)) break;
    }
    this.position = end;
    const found = readTime(bytes, start, this.position, this.#unit, this.#timeWords);
    if (found === false) throw new LineFault('bad timestamp');
    if (found === true) {
      if (this.#escapesAll || (this.timeNs >= -MOST_TIME_NS && this.timeNs <= MOST_TIME_NS)) return;
      throw new LineFault(`time outside range -${MOST_TIME_NS} - ${MOST_TIME_NS}`);
    }
    const text = bytes.toString('latin1', start, this.position);
    throw new LineFault(`strconv.ParseInt: parsing ${JSON.stringify(text)}: value out of range`);
  }

  /** Position of the comma, space, newline or (`=`) that ends the name, or `end`. */
  #endOfName(start: number, end: number, stopsAtEquals: boolean): number {
    const bytes = this.#bytes;
    let at = start;
    for (; at < end; at++) {
      const code = bytes[at]!;
      if (code === BACKSLASH) {
        if (this.#escapes(at + 1)) at += 1;
      } else if (code === COMMA || code === SPACE || code === NEWLINE || (code === EQUALS && stopsAtEquals))
        break;
    }
    return Math.min(at, end);
  }

  #nameAt(start: number, end: number): string {
    const raw = this.#bytes.toString('utf8', start, end);
    if (!raw.includes('\\')) return raw;
    return raw.replace(this.#escapesAll ? /\\([\s\S])/g : /\\([,= ])/g, '$1');
  }

  #escapes(at: number): boolean {
    const next = this.#bytes[at];
    return this.#escapesAll ? next !== undefined : next === COMMA || next === EQUALS || next === SPACE;
  }

  #skipSpaces(): void {
    while (this.#bytes[this.position] === SPACE) this.position += 1;
  }

  /** At a newline, a carriage return before one, or the end of the bytes. */
  #atLineEnd(): boolean {
    const { position } = this;
    const code = this.#bytes[position];
    if (code === NEWLINE || code === undefined) return true;
    if (code !== RETURN) return false;
    return position + 1 === this.#bytes.length || this.#bytes[position + 1] === NEWLINE;
  }
}

const floatPattern = /^-?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?$/;
const trueWords = new Set(['t', 'T', 'true', 'True', 'TRUE']);
const falseWords = new Set(['f', 'F', 'false', 'False', 'FALSE']);

/** An integer (`-12i`) that a double holds too; undefined for all else. */
function readInteger(bytes: Uint8Array, start: number, end: number): bigint | undefined {
  if (bytes[end - 1] !== LETTER_I) return undefined;
  for (let at = start; at < end - 1; at++) if (bytes[at] === DOT) return undefined;
  const whole = plainNumber(bytes, start, end - 1);
  return whole === undefined ? undefined : BigInt(whole);
}

/** A value that is no string and no plain number. */
function readValue(raw: string): Exclude<FieldValue, string> {
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

/** The one that all readers of line protocol share: what it knows of series is some 50 MB at most. */
export const lineScanner = new LineScanner();
