import type { LineScanner } from './line-scanner.ts';
import type { FieldValue, Point, Tag } from './point.ts';
import { TimeColumn } from './time-column.ts';

/** Points by column. Who reads many of them reads the columns: a point of its own is some objects each time. */
export class PointColumns {
  readonly times = new TimeColumn();
  readonly #measurements: string[] = [];
  readonly #tags: (readonly Tag[])[] = [];
  readonly #fieldEnds: number[] = [];
  readonly #fields: string[] = [];
  /** Floats; 0 where the field is of another type. */
  readonly #floats: number[] = [];
  /** Values of the other types, by the field's index. */
  readonly #others = new Map<number, FieldValue>();

  static of(points: Iterable<Point>): PointColumns {
    const columns = new PointColumns();
    for (const point of points) columns.push(point);
    return columns;
  }

  get length(): number {
    return this.#fieldEnds.length;
  }

  push({ measurement, tags, timeNs, fields }: Point): void {
    this.#measurements.push(measurement);
    this.#tags.push(tags);
    this.times.push(timeNs);
    for (const [field, value] of fields) {
      if (typeof value !== 'number') this.#others.set(this.#fields.length, value);
      this.#fields.push(field);
      this.#floats.push(typeof value === 'number' ? value : 0);
    }
    this.#fieldEnds.push(this.#fields.length);
  }

  /** The line that was read last, which has a time. */
  pushLine({ series, fieldCount, fields, floats, others, timeLow, timeHigh }: LineScanner): void {
    this.#measurements.push(series.measurement);
    this.#tags.push(series.tags);
    this.times.pushWords(timeLow, timeHigh);
    for (const [index, value] of others) this.#others.set(this.#fields.length + index, value);
    for (let index = 0; index < fieldCount; index++) {
      this.#fields.push(fields[index]!.name);
      this.#floats.push(floats[index]!);
    }
    this.#fieldEnds.push(this.#fields.length);
  }

  /** Those of `points` from `start` up to `end`. */
  append(points: PointColumns, start = 0, end = points.length): void {
    const firstField = points.firstFieldOf(start);
    const shift = this.#fields.length - firstField;
    for (let index = start; index < end; index++) {
      this.#measurements.push(points.#measurements[index]!);
      this.#tags.push(points.#tags[index]!);
      this.times.pushWords(points.times.lowAt(index), points.times.highAt(index));
      this.#fieldEnds.push(points.#fieldEnds[index]! + shift);
    }
    const fieldEnd = end === 0 ? 0 : points.fieldEndOf(end - 1);
    for (let field = firstField; field < fieldEnd; field++) {
      this.#fields.push(points.#fields[field]!);
      this.#floats.push(points.#floats[field]!);
    }
    if (points.#others.size === 0) return;
    for (let field = firstField; field < fieldEnd; field++) {
      const value = points.#others.get(field);
      if (value !== undefined) this.#others.set(field + shift, value);
    }
  }

  /** The point, made anew for each call. */
  at(index: number): Point {
    const start = this.firstFieldOf(index);
    const end = this.fieldEndOf(index);
    const fields: [string, FieldValue][] = [[this.#fields[start]!, this.valueAt(start)]];
    for (let field = start + 1; field < end; field++)
      fields.push([this.#fields[field]!, this.valueAt(field)]);
    return {
      measurement: this.#measurements[index]!,
      tags: this.#tags[index]!,
      fields,
      timeNs: this.times.at(index),
    };
  }

  /** All of them, made anew for each call. */
  toArray(): Point[] {
    return Array.from({ length: this.length }, (_, index) => this.at(index));
  }

  measurementOf(index: number): string {
    return this.#measurements[index]!;
  }

  tagsOf(index: number): readonly Tag[] {
    return this.#tags[index]!;
  }

  /** Where the fields of the point at `index` begin, among those of all points; there is at least one. */
  firstFieldOf(index: number): number {
    return index === 0 ? 0 : this.#fieldEnds[index - 1]!;
  }

  fieldEndOf(index: number): number {
    return this.#fieldEnds[index]!;
  }

  fieldAt(field: number): string {
    return this.#fields[field]!;
  }

  valueAt(field: number): FieldValue {
    if (this.#others.size === 0) return this.#floats[field]!;
    return this.#others.get(field) ?? this.#floats[field]!;
  }
}
