import {
  encodeExactLine,
  type JournalEntry,
  LineFault,
  lineScanner,
  type Point,
  PointColumns,
  TimeColumn,
  type TimeUnitName,
  timeUnits,
} from '@tidemark/core';
import { holdsPoints, type RecordKind, recordKinds } from './record.ts';

/**
 * The entries of one commit or one read, by column. Entries wait in memory until the store has them: as columns
 * they are a few arrays, where an object for each entry, point and field would be copied by the garbage
 * collector over and over.
 */
export class EntryBlock {
  /** Log offset of the block; positions count from it. Known once it is committed. */
  base: number;
  /** Of all its entries, one after another. */
  readonly points = new PointColumns();
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];
  readonly #kinds: number[] = [];
  readonly #acceptedNs = new TimeColumn();
  readonly #payloads: string[] = [];
  readonly #pointEnds: number[] = [];

  constructor(base = 0) {
    this.base = base;
  }

  get length(): number {
    return this.#ends.length;
  }

  /** Adds a record that stands at `start` to `end` of the block: a message's points, or a refusal's text. */
  push(
    start: number,
    end: number,
    kind: number,
    acceptedNs: bigint,
    points: readonly Point[] | PointColumns,
    payload: string,
  ): void {
    this.#starts.push(start);
    this.#ends.push(end);
    this.#kinds.push(kind);
    this.#acceptedNs.push(acceptedNs);
    this.#payloads.push(points.length > 0 ? '' : payload);
    if (points instanceof PointColumns) this.points.append(points);
    else for (const point of points) this.points.push(point);
    this.#pointEnds.push(this.points.length);
  }

  offsetOf(index: number): number {
    return this.base + this.#starts[index]!;
  }

  nextOffsetOf(index: number): number {
    return this.base + this.#ends[index]!;
  }

  kindOf(index: number): number {
    return this.#kinds[index]!;
  }

  acceptedNsOf(index: number): bigint {
    return this.#acceptedNs.at(index);
  }

  acceptedMsOf(index: number): number {
    return this.#acceptedNs.msAt(index);
  }

  payloadOf(index: number): string {
    return this.#payloads[index]!;
  }

  /** Where an entry's points begin among `points`. */
  firstPointOf(index: number): number {
    return index === 0 ? 0 : this.#pointEnds[index - 1]!;
  }

  pointEndOf(index: number): number {
    return this.#pointEnds[index]!;
  }

  pushPointsOf(index: number, target: Point[]): void {
    const end = this.#pointEnds[index]!;
    for (let at = this.firstPointOf(index); at < end; at++) target.push(this.points.at(at));
  }

  /** Entries at or behind a log offset. */
  entriesFrom(offset: number): SpoolEntry[] {
    const entries: SpoolEntry[] = [];
    for (let index = 0; index < this.length; index++)
      if (this.offsetOf(index) >= offset) entries.push(new SpoolEntry(this, index));
    return entries;
  }
}

/** One record of the log: one message's points, or one refusal. */
export class SpoolEntry implements JournalEntry {
  readonly #block: EntryBlock;
  readonly #index: number;

  constructor(block: EntryBlock, index: number) {
    this.#block = block;
    this.#index = index;
  }

  get offset(): number {
    return this.#block.offsetOf(this.#index);
  }

  get nextOffset(): number {
    return this.#block.nextOffsetOf(this.#index);
  }

  get kind(): RecordKind {
    return this.#block.kindOf(this.#index) as RecordKind;
  }

  get isLate(): boolean {
    return this.kind === recordKinds.latePoints;
  }

  get acceptedNs(): bigint {
    return this.#block.acceptedNsOf(this.#index);
  }

  /** The refusal as JSON; empty for points. */
  get payload(): string {
    return this.#block.payloadOf(this.#index);
  }

  /** As a number, in ms. */
  get acceptedMs(): number {
    return this.#block.acceptedMsOf(this.#index);
  }

  get pointCount(): number {
    return this.pointEnd - this.firstPoint;
  }

  /** Where its points stand: from `firstPoint` up to `pointEnd`. */
  get columns(): PointColumns {
    return this.#block.points;
  }

  get firstPoint(): number {
    return this.#block.firstPointOf(this.#index);
  }

  get pointEnd(): number {
    return this.#block.pointEndOf(this.#index);
  }

  /** Made anew for each call; empty for a refusal. */
  get points(): Point[] {
    const points: Point[] = [];
    this.pushPoints(points);
    return points;
  }

  pushPoints(target: Point[]): void {
    this.#block.pushPointsOf(this.#index, target);
  }
}

/** Points as a record's text: one exact line of line protocol each. `seriesKeyOf` may remember keys. */
export function encodePoints(points: readonly Point[], seriesKeyOf: (point: Point) => string): string {
  if (points.length === 1) return encodeExactLine(points[0]!, seriesKeyOf(points[0]!));
  return points.map((point) => encodeExactLine(point, seriesKeyOf(point))).join('\n');
}

/** Line protocol as it came, as a record's bytes: the parts one after another. */
export function encodeLines(lines: Uint8Array, unit: TimeUnitName): readonly Uint8Array[] {
  return [Buffer.from(`#${unit}\n`), lines];
}

/** The points of a record; undefined when a line cannot be read, which is a bug or damage that the CRC missed. */
export function decodePoints(kind: number, payload: Buffer): PointColumns | undefined {
  const points = new PointColumns();
  if (!holdsPoints(kind)) return points;
  if (kind === recordKinds.lines) lineScanner.reset(payload, { unit: timeUnits[unitOf(payload)] });
  else lineScanner.reset(payload, { escapes: 'all' });
  try {
    while (!lineScanner.atEnd()) {
      if (!lineScanner.scanLine()) continue;
      if (!lineScanner.hasTime) return undefined;
      points.pushLine(lineScanner);
    }
  } catch (error) {
    if (error instanceof LineFault) return undefined;
    throw error;
  }
  return points;
}

function unitOf(payload: Buffer): TimeUnitName {
  return payload.toString('latin1', 1, payload.indexOf(10)) as TimeUnitName;
}
