import { type Field, type FieldValue, type Point, type Tag, Uint64 } from './point.ts';

// Decoding of InfluxDB line protocol: https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/

interface ParseOptions {
  /** Nanoseconds in one unit of the timestamps; 1 by default. */
  unitNs?: bigint;
  /** Which backslashes escape in names: those before `,` `=` and space (InfluxDB), or all (our own logs). */
  escapes?: 'special' | 'all';
}

/** One line: its point, or why it holds none. `line` counts from 1; `text` is the line as it came. */
export type ParsedLine =
  | { line: number; point: ParsedPoint }
  | { line: number; text: string; problem: string };

/** A point whose line may have no timestamp. */
export type ParsedPoint = Omit<Point, 'timeNs'> & { timeNs: bigint | undefined };

const MIN_INT64 = -(2n ** 63n);
const MAX_INT64 = 2n ** 63n - 1n;
const MAX_UINT64 = 2n ** 64n - 1n;
const numberPattern = /^[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?$/;
const trueWords = new Set(['t', 'T', 'true', 'True', 'TRUE']);
const falseWords = new Set(['f', 'F', 'false', 'False', 'FALSE']);

const NEWLINE = 10;
const SPACE = 32;
const QUOTE = 34;
const COMMA = 44;
const EQUALS = 61;
const BACKSLASH = 92;

/** Parses line protocol line by line; empty lines and comments (`#`) are passed over. */
export function* parseLines(text: string, options: ParseOptions = {}): Generator<ParsedLine> {
  const scanner = new LineScanner(text, options);
  let line = 1;
  while (!scanner.atEnd()) {
    const start = scanner.position;
    const firstLine = line;
    let problem: string | undefined;
    let point: ParsedPoint | undefined;
    try {
      point = scanner.scanLine();
    } catch (error) {
      if (!(error instanceof LineFault)) throw error;
      problem = error.message;
      scanner.skipLine();
    }
    const end = scanner.position;
    line += countNewlines(text, start, end);
    if (point) yield { line: firstLine, point };
    if (problem !== undefined)
      yield { line: firstLine, text: text.slice(start, end).replace(/\r?\n$/, ''), problem };
  }
}

class LineFault extends Error {}

class LineScanner {
  position = 0;
  readonly #text: string;
  readonly #unitNs: bigint;
  readonly #escapesAll: boolean;

  constructor(text: string, { unitNs = 1n, escapes = 'special' }: ParseOptions) {
    this.#text = text;
    this.#unitNs = unitNs;
    this.#escapesAll = escapes === 'all';
  }

  atEnd(): boolean {
    return this.position >= this.#text.length;
  }

  /** The point of the line at the position, or undefined for an empty line or comment; moves past it. */
  scanLine(): ParsedPoint | undefined {
    this.#skipSpaces();
    if (this.#atLineEnd() || this.#text[this.position] === '#') {
      this.skipLine();
      return undefined;
    }
    const measurement = this.#scanName('measurement', false);
    const tags = this.#scanTags();
    this.#expect(SPACE, 'no fields: expected a space and field=value');
    this.#skipSpaces();
    const fields = this.#scanFields();
    this.#skipSpaces();
    const timeNs = this.#atLineEnd() ? undefined : this.#scanTime();
    this.#skipSpaces();
    if (!this.#atLineEnd()) throw new LineFault('text after the timestamp');
    this.skipLine();
    return { measurement, tags, fields, timeNs };
  }

  /** Moves behind the next newline. */
  skipLine(): void {
    const newline = this.#text.indexOf('\n', this.position);
    this.position = newline === -1 ? this.#text.length : newline + 1;
  }

  #scanTags(): Tag[] {
    const tags: Tag[] = [];
    while (this.#code() === COMMA) {
      this.position++;
      const key = this.#scanName('tag key', true);
      this.#expect(EQUALS, `tag ${key} has no value`);
      tags.push([key, this.#scanName(`value of tag ${key}`, true)]);
    }
    if (tags.length > 1) tags.sort(([a], [b]) => (a < b ? -1 : Number(a > b)));
    tags.forEach(([key], index) => {
      if (index > 0 && tags[index - 1]![0] === key) throw new LineFault(`tag ${key} stands twice`);
    });
    return tags;
  }

  #scanFields(): Field[] {
    const fields: Field[] = [];
    for (;;) {
      const key = this.#scanName('field key', true);
      this.#expect(EQUALS, `field ${key} has no value`);
      const value = this.#code() === QUOTE ? this.#scanString(key) : this.#scanBareValue(key);
      const earlier = fields.findIndex(([name]) => name === key);
      if (earlier === -1) fields.push([key, value]);
      else fields[earlier] = [key, value];
      if (this.#code() !== COMMA) return fields;
      this.position++;
    }
  }

  /** A measurement, tag key, tag value or field key: up to an unescaped comma, space, newline or (`=`). */
  #scanName(what: string, stopsAtEquals: boolean): string {
    const start = this.position;
    let hasEscape = false;
    for (; !this.atEnd(); this.position++) {
      const code = this.#code();
      if (code === BACKSLASH) {
        hasEscape = true;
        if (this.#escapesNext()) this.position++;
      } else if (code === COMMA || code === SPACE || code === NEWLINE || (code === EQUALS && stopsAtEquals))
        break;
    }
    const raw = this.#text.slice(start, Math.min(this.position, this.#text.length));
    if (raw === '') throw new LineFault(`${what} is empty`);
    return hasEscape ? raw.replace(this.#escapesAll ? /\\([\s\S])/g : /\\([,= ])/g, '$1') : raw;
  }

  #escapesNext(): boolean {
    const next = this.#text.charCodeAt(this.position + 1);
    return this.#escapesAll || next === COMMA || next === EQUALS || next === SPACE;
  }

  #scanString(key: string): string {
    const start = ++this.position;
    let hasEscape = false;
    for (; !this.atEnd(); this.position++) {
      const code = this.#code();
      if (code === BACKSLASH) {
        hasEscape = true;
        this.position++;
      } else if (code === QUOTE) {
        const raw = this.#text.slice(start, this.position++);
        return hasEscape ? raw.replace(/\\(["\\])/g, '$1') : raw;
      }
    }
    this.position = start;
    throw new LineFault(`the string of field ${key} has no closing quote`);
  }

  #scanBareValue(key: string): FieldValue {
    const raw = this.#scanWord();
    const value = readValue(raw);
    if (value === undefined)
      throw new LineFault(`field ${key} has no valid value: ${raw.slice(0, 64) || 'empty'}`);
    return value;
  }

  #scanTime(): bigint {
    const raw = this.#scanWord();
    if (!/^-?\d{1,19}$/.test(raw)) throw new LineFault(`bad timestamp: ${raw.slice(0, 64)}`);
    const timeNs = BigInt(raw) * this.#unitNs;
    if (timeNs < MIN_INT64 || timeNs > MAX_INT64) throw new LineFault(`timestamp out of range: ${raw}`);
    return timeNs;
  }

  /** Text up to a comma, space or the line's end. */
  #scanWord(): string {
    const start = this.position;
    while (!this.#atLineEnd() && this.#code() !== COMMA && this.#code() !== SPACE) this.position++;
    return this.#text.slice(start, this.position);
  }

  #skipSpaces(): void {
    while (this.#code() === SPACE) this.position++;
  }

  #expect(code: number, problem: string): void {
    if (this.#code() !== code) throw new LineFault(problem);
    this.position++;
  }

  #code(): number {
    return this.#text.charCodeAt(this.position);
  }

  /** At a newline, a carriage return before one, or the end of the text. */
  #atLineEnd(): boolean {
    const code = this.#code();
    return (
      code === NEWLINE ||
      Number.isNaN(code) ||
      (code === 13 &&
        (this.position + 1 >= this.#text.length || this.#text.charCodeAt(this.position + 1) === NEWLINE))
    );
  }
}

function readValue(raw: string): FieldValue | undefined {
  if (numberPattern.test(raw)) {
    const value = Number(raw);
    return Number.isFinite(value) ? value : undefined;
  }
  if (trueWords.has(raw)) return true;
  if (falseWords.has(raw)) return false;
  const suffix = raw.at(-1);
  const digits = raw.slice(0, -1);
  if (suffix === 'i' && /^[-+]?\d{1,19}$/.test(digits)) return inRange(BigInt(digits), MIN_INT64, MAX_INT64);
  if (suffix !== 'u' || !/^\d{1,20}$/.test(digits)) return undefined;
  const unsigned = inRange(BigInt(digits), 0n, MAX_UINT64);
  return unsigned === undefined ? undefined : new Uint64(unsigned);
}

function inRange(value: bigint, min: bigint, max: bigint): bigint | undefined {
  return value >= min && value <= max ? value : undefined;
}

function countNewlines(text: string, start: number, end: number): number {
  let count = 0;
  for (let at = text.indexOf('\n', start); at !== -1 && at < end; at = text.indexOf('\n', at + 1)) count++;
  return count;
}
