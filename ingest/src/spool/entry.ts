import {
  encodeExactLine,
  type FieldValue,
  type JournalEntry,
  type Point,
  parseLines,
  type Tag,
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
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];
  readonly #kinds: number[] = [];
  readonly #acceptedNs = new TimeColumn();
  readonly #payloads: string[] = [];
  readonly #pointEnds: number[] = [];
  readonly #points = new PointColumns();

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
    points: readonly Point[],
    payload: string,
  ): void {
    this.#starts.push(start);
    this.#ends.push(end);
    this.#kinds.push(kind);
    this.#acceptedNs.push(acceptedNs);
    this.#payloads.push(points.length > 0 ? '' : payload);
    for (const point of points) this.#points.push(point);
    this.#pointEnds.push(this.#points.length);
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

  payloadOf(index: number): string {
    return this.#payloads[index]!;
  }

  pointCountOf(index: number): number {
    return this.#pointEnds[index]! - this.#firstPointOf(index);
  }

  pushPointsOf(index: number, target: Point[]): void {
    const end = this.#pointEnds[index]!;
    for (let at = this.#firstPointOf(index); at < end; at++) target.push(this.#points.at(at));
  }

  /** Entries at or behind a log offset. */
  entriesFrom(offset: number): SpoolEntry[] {
    const entries: SpoolEntry[] = [];
    for (let index = 0; index < this.length; index++)
      if (this.offsetOf(index) >= offset) entries.push(new SpoolEntry(this, index));
    return entries;
  }

  #firstPointOf(index: number): number {
    return index === 0 ? 0 : this.#pointEnds[index - 1]!;
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

  get pointCount(): number {
    return this.#block.pointCountOf(this.#index);
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

class PointColumns {
  readonly #measurements: string[] = [];
  readonly #tags: (readonly Tag[])[] = [];
  readonly #timesNs = new TimeColumn();
  readonly #fieldEnds: number[] = [];
  readonly #fields: string[] = [];
  /** Floats; 0 where the field is of another type. */
  readonly #floats: number[] = [];
  /** Values of the other types, by the field's index. */
  readonly #others = new Map<number, FieldValue>();

  get length(): number {
    return this.#fieldEnds.length;
  }

  push({ measurement, tags, timeNs, fields }: Point): void {
    this.#measurements.push(measurement);
    this.#tags.push(tags);
    this.#timesNs.push(timeNs);
    for (const [field, value] of fields) {
      if (typeof value !== 'number') this.#others.set(this.#fields.length, value);
      this.#fields.push(field);
      this.#floats.push(typeof value === 'number' ? value : 0);
    }
    this.#fieldEnds.push(this.#fields.length);
  }

  at(index: number): Point {
    const start = index === 0 ? 0 : this.#fieldEnds[index - 1]!;
    const end = this.#fieldEnds[index]!;
    const fields: [string, FieldValue][] = [[this.#fields[start]!, this.#valueAt(start)]];
    for (let field = start + 1; field < end; field++)
      fields.push([this.#fields[field]!, this.#valueAt(field)]);
    return {
      measurement: this.#measurements[index]!,
      tags: this.#tags[index]!,
      fields,
      timeNs: this.#timesNs.at(index),
    };
  }

  #valueAt(field: number): FieldValue {
    if (this.#others.size === 0) return this.#floats[field]!;
    return this.#others.get(field) ?? this.#floats[field]!;
  }
}

/** Nanoseconds, 8 bytes each. */
class TimeColumn {
  #values = new BigInt64Array(64);
  #length = 0;

  push(timeNs: bigint): void {
    if (this.#length === this.#values.length) {
      const larger = new BigInt64Array(this.#length * 2);
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.#length++] = timeNs;
  }

  at(index: number): bigint {
    return this.#values[index]!;
  }
}

/** Points as a record's text: one exact line of line protocol each. `seriesKeyOf` may remember keys. */
export function encodePoints(points: readonly Point[], seriesKeyOf: (point: Point) => string): string {
  if (points.length === 1) return encodeExactLine(points[0]!, seriesKeyOf(points[0]!));
  return points.map((point) => encodeExactLine(point, seriesKeyOf(point))).join('\n');
}

/** The points of a record's text; undefined when a line cannot be read, which is a bug or damage that the CRC missed. */
export function decodePoints(kind: number, text: string): Point[] | undefined {
  if (!holdsPoints(kind)) return [];
  const points: Point[] = [];
  for (const line of parseLines(text, { escapes: 'all' })) {
    if ('problem' in line || line.point.timeNs === undefined) return undefined;
    points.push(line.point as Point);
  }
  return points;
}
