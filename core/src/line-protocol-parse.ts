import { isUtf8 } from 'node:buffer';
import { type LineScanner, type ScanOptions, lineScanner as scanner } from './line-scanner.ts';
import { LineFault } from './line-values.ts';
import type { Field, Point } from './point.ts';

/** One line: its point, or why it holds none. */
export type ParsedLine = (LinePlace & { point: ParsedPoint }) | (LinePlace & LineProblem);

interface LinePlace {
  /** From 1. */
  line: number;
  /** Where it stands in the bytes, without its end. */
  start: number;
  end: number;
}

/** A point whose line may have no timestamp. */
export type ParsedPoint = Omit<Point, 'timeNs'> & { timeNs: bigint | undefined };

interface LineProblem {
  /** Why it holds no point, in InfluxDB's words; undefined where the line is no UTF-8. */
  problem: string | undefined;
}

/** Parses line protocol line by line; empty lines and comments (`#`) are passed over. */
export function parseLines(lines: string | Uint8Array, options: ScanOptions = {}): ParsedLine[] {
  const bytes = typeof lines === 'string' ? Buffer.from(lines) : lines;
  const areUtf8 = typeof lines === 'string' || isUtf8(bytes);
  const parsed: ParsedLine[] = [];
  scanner.reset(bytes, options);
  while (!scanner.atEnd()) {
    const { position: start, line } = scanner;
    const found = scanOne();
    if (found === false) continue;
    const place = { line, start, end: endOfText(bytes, start, scanner.position) };
    if (!areUtf8 && !isUtf8(bytes.subarray(start, place.end))) parsed.push({ ...place, problem: undefined });
    else if (found === true) parsed.push({ ...place, point: pointOf(scanner) });
    else parsed.push({ ...place, problem: found.message });
  }
  return parsed;
}

/** The point of the line that was scanned last. */
function pointOf(scanned: LineScanner): ParsedPoint {
  const { fieldCount, floats, others } = scanned;
  const fields: Field[] = [];
  for (let index = 0; index < fieldCount; index++)
    fields.push([scanned.fields[index]!.name, others.get(index) ?? floats[index]!]);
  const { measurement, tags } = scanned.series;
  return { measurement, tags, fields, timeNs: scanned.hasTime ? scanned.timeNs : undefined };
}

function scanOne(): boolean | LineFault {
  try {
    return scanner.scanLine();
  } catch (error) {
    if (!(error instanceof LineFault)) throw error;
    scanner.skipLine();
    return error;
  }
}

/** Position of the newline, or of the carriage return before it, that ends a line. */
function endOfText(bytes: Uint8Array, start: number, behind: number): number {
  let end = behind;
  if (end > start && bytes[end - 1] === 10) end -= 1;
  if (end > start && bytes[end - 1] === 13) end -= 1;
  return end;
}
