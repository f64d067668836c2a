import {
  type FieldType,
  type FieldValue,
  fieldTypes,
  type ParsedPoint,
  parseTime,
  type QuarantineReason,
  type Tag,
  Uint64,
} from '@tidemark/core';

/** Columns of a CSV file, one row for each value. `sensor` and `location` are tags, `tags` holds all others as JSON. */
export const csvColumns = [
  'time',
  'measurement',
  'sensor',
  'location',
  'tags',
  'field',
  'type',
  'value',
] as const;

/** What a row says of its series; a tag that it does not have is empty or null. */
export interface SeriesCells {
  measurement: string | null;
  sensor: string | null;
  location: string | null;
  tags: string | null;
}

/** A row that holds no point. */
export class RowFault extends Error {
  readonly reason: QuarantineReason;

  constructor(reason: QuarantineReason, detail: string) {
    super(detail);
    this.reason = reason;
  }
}

/** Tags that are remembered, so that points of one series share theirs. */
const KNOWN_TAGS = 10_000;

const floatPattern = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
const int64 = { least: -(2n ** 63n), most: 2n ** 63n - 1n };
const uint64 = { least: 0n, most: 2n ** 64n - 1n };

/** Makes points of the cells of rows. */
export class CellReader {
  readonly #known = new Map<string, readonly Tag[]>();

  /** Throws `RowFault`. */
  point(cells: SeriesCells & { field: string | null }, timeNs: bigint, value: FieldValue): ParsedPoint {
    const { measurement, field } = cells;
    if (!measurement) throw new RowFault('bad_line', 'it names no measurement');
    if (!field) throw new RowFault('bad_metric', 'it names no field');
    return { measurement, tags: this.#tagsOf(cells), fields: [[field, value]], timeNs };
  }

  #tagsOf({ sensor, location, tags }: SeriesCells): readonly Tag[] {
    const key = JSON.stringify([sensor, location, tags]);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const all = new Map(tags ? readTags(tags) : []);
    if (sensor) all.set('sensor', sensor);
    if (location) all.set('location', location);
    const sorted = Object.freeze([...all].sort(([one], [other]) => (one < other ? -1 : 1)));
    if (this.#known.size >= KNOWN_TAGS) this.#known.clear();
    this.#known.set(key, sorted);
    return sorted;
  }
}

/** All tags besides `sensor` and `location` as a JSON object; empty when there is none. */
export function tagsCell(tags: readonly Tag[]): string {
  const others = tags.filter(([key]) => key !== 'sensor' && key !== 'location');
  if (others.length === 0) return '';
  // Members are written one by one: as an object, `__proto__` and whole numbers would be something else.
  return `{${others.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(',')}}`;
}

/** A time as `parseTime` reads it; throws `RowFault`. */
export function readTimeCell(text: string): bigint {
  const timeNs = parseTime(text);
  if (timeNs === undefined) throw new RowFault('bad_time', `time is no time: ${shown(text)}`);
  return timeNs;
}

/** A value in the text that a CSV cell or a line's comment has of it; throws `RowFault`. */
export function readValueCell(type: string, text: string): FieldValue {
  switch (type) {
    case 'string':
      return text;
    case 'float':
      return readFloat(text);
    case 'boolean':
      if (text !== 'true' && text !== 'false') throw notOf(type, text);
      return text === 'true';
    case 'integer':
      return readWhole(type, text, int64);
    case 'unsigned':
      return new Uint64(readWhole(type, text, uint64));
    default:
      throw new RowFault('wrong_type', `type is ${shown(type)}, not one of ${fieldTypes.join(', ')}`);
  }
}

/** The text that `readValueCell` reads. */
export function valueCell(value: FieldValue): string {
  if (value instanceof Uint64) return String(value.value);
  return Object.is(value, -0) ? '-0' : String(value);
}

/** The beginning of a text, for a message to a person. */
export function shown(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}

function readFloat(text: string): number {
  if (!floatPattern.test(text)) throw notOf('float', text);
  const value = Number(text);
  if (!Number.isFinite(value)) throw new RowFault('not_finite', `value is beyond a double: ${shown(text)}`);
  return value;
}

function readWhole(type: FieldType, text: string, { least, most }: typeof int64): bigint {
  const value = /^[+-]?\d{1,40}$/.test(text) ? BigInt(text.replace('+', '')) : undefined;
  if (value === undefined || value < least || value > most) throw notOf(type, text);
  return value;
}

function notOf(type: string, text: string): RowFault {
  return text === ''
    ? new RowFault('missing_value', 'value is empty')
    : new RowFault('wrong_type', `value is not of type ${type}: ${shown(text)}`);
}

function readTags(text: string): Tag[] {
  const tags = parseTags(text);
  if (tags === undefined) throw new RowFault('bad_line', `tags is no JSON object of texts: ${shown(text)}`);
  return tags;
}

// Read text by text: JSON.parse of V8 13.6 takes a key with a backslash for another one that stood there before.
const jsonText = '"(?:[^"\\\\]|\\\\.)*"';
const jsonTexts = new RegExp(jsonText, 'g');
const tagsPattern = new RegExp(
  `^\\s*\\{(?:\\s*${jsonText}\\s*:\\s*${jsonText}\\s*(?:,(?!\\s*\\})|(?=\\})))*\\s*\\}\\s*$`,
);

/** Entries of a JSON object of texts; undefined when it is none. */
function parseTags(text: string): Tag[] | undefined {
  if (!tagsPattern.test(text)) return undefined;
  let texts: string[];
  try {
    texts = (text.match(jsonTexts) ?? []).map((one) => JSON.parse(one) as string);
  } catch {
    return undefined;
  }
  const tags: Tag[] = [];
  for (let at = 0; at < texts.length; at += 2) tags.push([texts[at]!, texts[at + 1]!]);
  return tags.every(([key, value]) => key !== '' && value !== '') ? tags : undefined;
}
