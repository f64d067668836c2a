import type { FieldValue, Point, Tag } from '@tidemark/core';
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
