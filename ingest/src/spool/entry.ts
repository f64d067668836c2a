import { encodeExactLine, type JournalEntry, type Point, parseLines } from '@tidemark/core';
import { type RecordKind, recordKinds } from './record.ts';

/** What is appended: one message's points, or one refusal. */
export interface NewEntry {
  kind: RecordKind;
  acceptedNs: bigint;
  /** The record's text: exact lines for points, JSON for a refusal. */
  payload: string;
  /** Empty for a refusal. */
  points: readonly Point[];
}

/** An entry as the log holds it. */
export interface SpoolEntry extends JournalEntry {
  kind: number;
  acceptedNs: bigint;
  payload: string;
}

/** Points as a record's text: one exact line of line protocol each. `seriesKeyOf` may remember keys. */
export function encodePoints(points: readonly Point[], seriesKeyOf: (point: Point) => string): string {
  if (points.length === 1) return encodeExactLine(points[0]!, seriesKeyOf(points[0]!));
  return points.map((point) => encodeExactLine(point, seriesKeyOf(point))).join('\n');
}

/** The points of a record's text. A line that cannot be read is a bug or damage that the CRC missed. */
export function decodePoints(kind: number, text: string): Point[] {
  if (kind !== recordKinds.points) return [];
  return Array.from(parseLines(text, { escapes: 'all' }), (line) => {
    if ('problem' in line) throw new Error(`unreadable line in the spool: ${line.problem}`);
    if (line.point.timeNs === undefined) throw new Error('a line in the spool has no time');
    return line.point as Point;
  });
}
