import { asBuffer } from './as-buffer.ts';
import { BytePattern } from './byte-pattern.ts';
import { endOfName, isEscaped, nameAt, readSeries } from './line-names.ts';
import {
  NANOSECOND_DIGITS,
  plainNumber,
  readNanoseconds,
  readTime,
  type TimeUnit,
  timeUnits,
} from './line-numbers.ts';
import { type LineField, type LineSeries, LineSeriesCache } from './line-series.ts';
import { LineFault, readInteger, readValue } from './line-values.ts';
import type { FieldValue } from './point.ts';

// Line protocol as InfluxDB reads it: https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/
// What it says of a bad line is what InfluxDB 2.7 says.
// Longer than most files: all its parts move one position, and what is read of a line stands in one place.

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

const NEWLINE = 10;
const RETURN = 13;
const SPACE = 32;
const QUOTE = 34;
const HASH = 35;
const COMMA = 44;
const EQUALS = 61;
const BACKSLASH = 92;

/** InfluxDB keeps the outermost ones for itself. */
const MOST_TIME_NS = 2n ** 63n - 2n;
const MIN_UPPER = -(2 ** 31);
const MAX_UPPER = 2 ** 31 - 1;
const KNOWN_SERIES = 100_000;
/** Fields of a series that are looked for; further ones are read anew each time. */
const KNOWN_FIELDS = 256;
const noLine: LineSeries = {
  measurement: '',
  tags: [],
  key: new BytePattern(new Uint8Array(), 0, 0),
  hash: 0,
  fields: [],
  sharesFields: false,
  next: undefined,
};

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
  #view = new DataView(this.#bytes.buffer);
  #unit: TimeUnit = timeUnits.ns;
  #escapesAll = false;
  #scanned = 0;
  /** The series of the line before. */
  #last: LineSeries | undefined;

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
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
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
    if (this.#scanLikely()) return true;
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

  /**
   * Reads the line if it has the form that nearly all have: the series that is expected, its fields as they first
   * came, decimal numbers, a time, and one space between each. False, with nothing moved, for any other.
   */
  #scanLikely(): boolean {
    const known = this.#last?.next;
    const bytes = this.#bytes;
    const view = this.#view;
    if (known === undefined || !known.key.isAt(view, this.position)) return false;
    const { fields } = known;
    let at = this.position + known.key.length;
    let fieldCount = 0;
    for (let before = SPACE; bytes[at] === before; before = COMMA) {
      const field = fieldCount < fields.length ? fields[fieldCount]! : undefined;
      if (field === undefined || !field.key.isAt(view, at + 1)) break;
      const start = at + field.key.length + 2;
      if (bytes[start - 1] !== EQUALS) return false;
      at = start;
      while (at < bytes.length && bytes[at]! > COMMA) at++;
      const value = plainNumber(bytes, start, at);
      if (value === undefined || at === bytes.length) return false;
      this.fields[fieldCount] = field;
      this.floats[fieldCount] = value;
      fieldCount += 1;
    }
    return fieldCount > 0 && bytes[at] === SPACE && this.#endLikely(known, at + 1, fieldCount);
  }

  #endLikely(known: LineSeries, timeStart: number, fieldCount: number): boolean {
    const bytes = this.#bytes;
    let end = timeStart + NANOSECOND_DIGITS;
    const isLikely = end < bytes.length && bytes[end] === NEWLINE && this.#unit === timeUnits.ns;
    if (!isLikely || !readNanoseconds(this.#view, timeStart, this.#timeWords)) {
      end = timeStart;
      while (end < bytes.length && bytes[end]! > SPACE) end++;
      if (end < bytes.length && bytes[end] !== NEWLINE) return false;
      if (readTime(bytes, timeStart, end, this.#unit, this.#timeWords) !== true || !this.#isTimeAllowed())
        return false;
    }
    this.#last = known;
    this.series = known;
    if (this.others.size > 0) this.others.clear();
    this.fieldCount = fieldCount;
    this.hasTime = true;
    this.position = end + 1;
    this.line += 1;
    return true;
  }

  /** Measurement and tags. Senders mostly send their series in the same order each time. */
  #scanSeries(): LineSeries {
    const bytes = this.#bytes;
    const start = this.position;
    const likely = this.#last?.next;
    if (likely !== undefined) {
      const end = start + likely.key.length;
      if (bytes[end] === SPACE && likely.key.isAt(this.#view, start)) {
        this.#last = likely;
        this.position = end;
        return likely;
      }
    }
    const known = this.#lookUpSeries(start);
    if (this.#last !== undefined) this.#last.next = known;
    this.#last = known;
    return known;
  }

  /** The hash is FNV-1a. */
  #lookUpSeries(start: number): LineSeries {
    const bytes = this.#bytes;
    let hash = 0x811c_9dc5 | 0;
    let at = start;
    for (; at < bytes.length; at++) {
      const code = bytes[at]!;
      if (code === SPACE || code === NEWLINE) break;
      hash = Math.imul(hash ^ code, 0x0100_0193);
      if (code === BACKSLASH && isEscaped(bytes, at + 1, this.#escapesAll)) {
        at += 1;
        hash = Math.imul(hash ^ bytes[at]!, 0x0100_0193);
      }
    }
    const end = Math.min(at, bytes.length);
    if (end === bytes.length || bytes[end] === NEWLINE) {
      readSeries(bytes, start, end, this.#escapesAll);
      throw new LineFault('missing fields');
    }
    const cache = this.#escapesAll ? this.#known.all : this.#known.special;
    let known = cache.find(this.#view, start, end, hash);
    if (known === undefined) {
      known = this.#newSeries(start, end, hash);
      cache.add(known);
    }
    this.position = end;
    return known;
  }

  #newSeries(start: number, end: number, hash: number): LineSeries {
    const { measurement, tags } = readSeries(this.#bytes, start, end, this.#escapesAll);
    const sharesFields = this.#last?.measurement === measurement;
    const fields = sharesFields ? this.#last!.fields : [];
    const key = new BytePattern(this.#bytes, start, end);
    return { measurement, tags, key, hash, fields, sharesFields, next: undefined };
  }

  #scanFields(): void {
    this.fieldCount = 0;
    if (this.others.size > 0) this.others.clear();
    for (let expected = 0; ; expected++) {
      const field = this.#scanFieldKey(expected);
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
      const end = start + likely.key.length;
      if (bytes[end] === EQUALS && likely.key.isAt(this.#view, start)) {
        this.position = end + 1;
        return likely;
      }
    }
    const end = endOfName(bytes, start, bytes.length, { escapesAll: this.#escapesAll, stopsAtEquals: true });
    if (bytes[end] !== EQUALS) throw new LineFault('invalid field format');
    if (end === start) throw new LineFault('missing field key');
    this.position = end + 1;
    const known = fields.find(({ key }) => key.length === end - start && key.isAt(this.#view, start));
    if (this.series.sharesFields) this.#ownFields(expected, known);
    if (known !== undefined) return known;
    const name = nameAt(bytes, start, end, this.#escapesAll);
    if (name === 'time' && !this.#escapesAll) throw new LineFault('invalid field name: "time"');
    return this.#newField(name, start, end);
  }

  /** The fields of the series are others than those of the series before it, from this one on. */
  #ownFields(expected: number, known: LineField | undefined): void {
    const { series } = this;
    series.fields = series.fields.slice(0, expected);
    series.sharesFields = false;
    if (known !== undefined && !series.fields.includes(known)) series.fields.push(known);
  }

  #newField(name: string, start: number, end: number): LineField {
    const { fields } = this.series;
    // Two spellings of one name are one field, and only one of them is remembered.
    const same = fields.find((field) => field.name === name);
    if (same !== undefined) return same;
    const key = new BytePattern(this.#bytes, start, end);
    const field = { name, key, lastLine: 0, type: undefined };
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
      if (this.#isTimeAllowed()) return;
      throw new LineFault(`time outside range -${MOST_TIME_NS} - ${MOST_TIME_NS}`);
    }
    const text = bytes.toString('latin1', start, this.position);
    throw new LineFault(`strconv.ParseInt: parsing ${JSON.stringify(text)}: value out of range`);
  }

  #isTimeAllowed(): boolean {
    // All but the outermost have other upper words.
    const upper = this.timeHigh;
    if (this.#escapesAll || (upper > MIN_UPPER && upper < MAX_UPPER)) return true;
    return this.timeNs >= -MOST_TIME_NS && this.timeNs <= MOST_TIME_NS;
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

/** The one that all readers of line protocol share: what it knows of series is some 50 MB at most. */
export const lineScanner = new LineScanner();
