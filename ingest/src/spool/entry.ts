import { encodeExactLine, type JournalEntry, type Point, parseLines } from '@tidemark/core';
import { recordKinds } from './record.ts';

/** Where a batch begins in the log; unknown until it is committed. */
export interface BatchBase {
  offset: number;
}

/** One record of the log: one message's points, or one refusal. */
export class SpoolEntry implements JournalEntry {
  readonly kind: number;
  readonly acceptedNs: bigint;
  /** Empty for a refusal. */
  readonly points: readonly Point[];
  /** The refusal as JSON; empty for points. */
  readonly payload: string;
  readonly #base: BatchBase;
  readonly #start: number;
  readonly #end: number;

  /** `start` and `end` count from the base: small integers, which cost no memory of their own. */
  constructor(
    base: BatchBase,
    start: number,
    end: number,
    kind: number,
    acceptedNs: bigint,
    points: readonly Point[],
    payload: string,
  ) {
    this.#base = base;
    this.#start = start;
    this.#end = end;
    this.kind = kind;
    this.acceptedNs = acceptedNs;
    this.points = points;
    this.payload = payload;
  }

  get offset(): number {
    return this.#base.offset + this.#start;
  }

  get nextOffset(): number {
    return this.#base.offset + this.#end;
  }
}

/** Points as a record's text: one exact line of line protocol each. `seriesKeyOf` may remember keys. */
export function encodePoints(points: readonly Point[], seriesKeyOf: (point: Point) => string): string {
  if (points.length === 1) return encodeExactLine(points[0]!, seriesKeyOf(points[0]!));
  return points.map((point) => encodeExactLine(point, seriesKeyOf(point))).join('\n');
}

/** The points of a record's text; undefined when a line cannot be read, which is a bug or damage that the CRC missed. */
export function decodePoints(kind: number, text: string): Point[] | undefined {
  if (kind !== recordKinds.points) return [];
  const points: Point[] = [];
  for (const line of parseLines(text, { escapes: 'all' })) {
    if ('problem' in line || line.point.timeNs === undefined) return undefined;
    points.push(line.point as Point);
  }
  return points;
}
