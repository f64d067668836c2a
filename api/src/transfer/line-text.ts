import {
  encodeLine,
  fieldTypeOf,
  formatTime,
  type ImportedRow,
  type Point,
  parseLines,
} from '@tidemark/core';
import { CellReader, RowFault, readTimeCell, readValueCell, shown, valueCell } from './cells.ts';

// Line protocol cannot hold every name: a backslash before a comma, a space, an equals sign or the end of a name is read as
// something else. Such a value stands in a comment, as JSON, which others pass over and the import reads.

const marker = '#tidemark ';

/** Names of a point, found writable or not. */
const KNOWN_NAMES = 10_000;

interface CommentCells {
  measurement: string;
  tags: [string, string][];
  field: string;
  type: string;
  value: string;
  time: string;
}

/** Writes points as line protocol with nanoseconds. */
export class LineText {
  readonly #plain = new Map<string, boolean>();

  rows(points: readonly Point[]): string {
    let text = '';
    for (const point of points) text += this.#isPlain(point) ? `${encodeLine(point)}\n` : comments(point);
    return text;
  }

  /** True when line protocol gives the same names back. */
  #isPlain(point: Point): boolean {
    const { measurement, tags, fields } = point;
    const names = [measurement, ...tags.flat(), ...fields.map(([name]) => name)];
    const isSimple = !names.some((name) => name === '' || name === 'time' || /[\\#\n\r]|^_/.test(name));
    if (isSimple) return true;
    const key = JSON.stringify([names, tags.length]);
    let isPlain = this.#plain.get(key);
    if (isPlain === undefined) {
      isPlain = comesBack({ measurement, tags, fields: fields.map(([name]) => [name, true]), timeNs: 0n });
      if (this.#plain.size >= KNOWN_NAMES) this.#plain.clear();
      this.#plain.set(key, isPlain);
    }
    return isPlain;
  }
}

/** Rows of a part of line protocol that begins and ends where lines do. */
export function readLineRows(
  bytes: Buffer,
  { unit, firstLine }: Pick<Required<NonNullable<Parameters<typeof parseLines>[1]>>, 'unit' | 'firstLine'>,
): ImportedRow[] {
  const parsed = parseLines(bytes, { unit, firstLine });
  const rows = parsed.map((item): ImportedRow => {
    const index = item.line - 1;
    if ('point' in item) return { index, point: item.point };
    const raw = bytes.subarray(item.start, item.end);
    if (item.problem === undefined) return { index, reason: 'invalid_utf8', detail: 'it is no UTF-8', raw };
    const detail = `unable to parse ${shown(raw.subarray(0, 512).toString())}: ${item.problem}`;
    return { index, reason: 'bad_line', detail, raw };
  });
  if (bytes.includes(marker)) rows.push(...readComments(bytes, firstLine ?? 1, parsed));
  return rows;
}

/** Values that stand in comments; what looks like one inside a text of a line is none. */
function readComments(
  bytes: Buffer,
  firstLine: number,
  lines: readonly { start: number; end: number }[],
): ImportedRow[] {
  const rows: ImportedRow[] = [];
  const reader = new CellReader();
  let line = firstLine - 1;
  let at = 0;
  let next = 0;
  for (const [start, end] of placesOf(bytes)) {
    for (; at < start; at++) if (bytes[at] === 10) line += 1;
    while (next < lines.length && lines[next]!.end <= start) next += 1;
    if (next < lines.length && lines[next]!.start < start) continue;
    const raw = bytes.subarray(start, end);
    rows.push({ index: line, ...readComment(raw, reader) });
  }
  return rows;
}

function* placesOf(bytes: Buffer): Generator<[start: number, end: number]> {
  for (let at = bytes.indexOf(marker); at !== -1; at = bytes.indexOf(marker, at + 1)) {
    if (at > 0 && bytes[at - 1] !== 10) continue;
    const newline = bytes.indexOf(10, at);
    yield [at, newline === -1 ? bytes.length : newline];
  }
}

function readComment(raw: Buffer, reader: CellReader) {
  try {
    const { measurement, tags, field, type, value, time } = parseComment(raw.toString());
    const sensor = null;
    const cells = { measurement, sensor, location: null, tags: tagsText(tags), field };
    return { point: reader.point(cells, readTimeCell(time), readValueCell(type, value)) };
  } catch (error) {
    if (!(error instanceof RowFault)) throw error;
    return { reason: error.reason, detail: error.message, raw };
  }
}

function parseComment(text: string): CommentCells {
  try {
    const cells = JSON.parse(text.slice(marker.length)) as Partial<CommentCells> | null;
    const { measurement, field, type, value, time, tags } = cells ?? {};
    const texts = [measurement, field, type, value, time];
    if (texts.every((one) => typeof one === 'string') && Array.isArray(tags)) return cells as CommentCells;
  } catch {
    // Told below.
  }
  throw new RowFault('bad_line', `the comment is no value of an export: ${shown(text)}`);
}

function tagsText(tags: CommentCells['tags']): string | null {
  if (tags.length === 0) return null;
  const members = tags.map(
    (tag) => `${JSON.stringify(String(tag?.[0]))}:${JSON.stringify(String(tag?.[1]))}`,
  );
  return `{${members.join(',')}}`;
}

function comments({ measurement, tags, fields, timeNs }: Point): string {
  return fields
    .map(([field, value]) => {
      const cells = {
        measurement,
        tags: tags as CommentCells['tags'],
        field,
        type: fieldTypeOf(value),
        value: valueCell(value),
        time: formatTime(timeNs),
      } satisfies CommentCells;
      // Whoever looks for the ends of lines takes `="` for the start of a text.
      return `${marker}${JSON.stringify(cells).replaceAll('=', '\\u003d')}\n`;
    })
    .join('');
}

function comesBack(point: Point): boolean {
  const [parsed, ...others] = parseLines(encodeLine(point));
  if (parsed === undefined || !('point' in parsed) || others.length > 0) return false;
  const { measurement, tags, fields } = parsed.point;
  return (
    JSON.stringify([measurement, tags, fields]) ===
    JSON.stringify([point.measurement, point.tags, point.fields])
  );
}
