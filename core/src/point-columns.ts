import type { LineScanner } from './line-scanner.ts';
import type { FieldValue, Point, Tag } from './point.ts';
import { TimeColumn } from './time-column.ts';

/** What the points of one series have in common. */
export interface Labels {
  readonly measurement: string;
  readonly tags: readonly Tag[];
}

const FIRST_CAPACITY = 8;
/** Labels and names that cleared columns may keep: what was met before is likely to come again. */
const KEPT_LABELS = 100_000;

/**
 * Points by column. Who reads many of them reads the columns: a point of its own is some objects each time. A column
 * holds numbers only, which the garbage collector need not look at; labels and names of fields stand in lists, once
 * for each time they come anew.
 */
export class PointColumns {
  readonly times = new TimeColumn();
  readonly #labels: Labels[] = [];
  readonly #slotOfTags = new Map<readonly Tag[], number>();
  readonly #names: string[] = [];
  readonly #slotOfName = new Map<string, number>();
  #lastName = 0;
  #lastLabel = 0;
  #length = 0;
  /** Of each point: which labels it has, and where its fields end. */
  #labelSlots = new Uint32Array(FIRST_CAPACITY);
  #fieldEnds = new Uint32Array(FIRST_CAPACITY);
  #fieldCount = 0;
  /** Of each field: which name it has, and its value as a float; 0 where it is of another type. */
  #nameSlots = new Uint32Array(FIRST_CAPACITY);
  #floats = new Float64Array(FIRST_CAPACITY);
  /** Values of the other types, by the field's index. */
  readonly #others = new Map<number, FieldValue>();

  static of(points: Iterable<Point>): PointColumns {
    const columns = new PointColumns();
    for (const point of points) columns.push(point);
    return columns;
  }

  get length(): number {
    return this.#length;
  }

  push({ measurement, tags, timeNs, fields }: Point): void {
    this.times.push(timeNs);
    for (const [field, value] of fields) {
      const isFloat = typeof value === 'number';
      if (!isFloat) this.#others.set(this.#fieldCount, value);
      this.#pushField(this.#slotNamed(field), isFloat ? value : 0);
    }
    this.#pushLabels(this.#labelSlotOf(measurement, tags));
  }

  /** The line that was read last, which has a time. */
  pushLine({ series, fieldCount, fields, floats, others, timeLow, timeHigh }: LineScanner): void {
    this.times.pushWords(timeLow, timeHigh);
    if (others.size > 0)
      for (const [index, value] of others) this.#others.set(this.#fieldCount + index, value);
    for (let index = 0; index < fieldCount; index++)
      this.#pushField(this.#slotNamed(fields[index]!.name), floats[index]!);
    this.#pushLabels(this.#labelSlotOf(series.measurement, series.tags));
  }

  /** Those of `points` from `start` up to `end`. */
  append(points: PointColumns, start = 0, end = points.length): void {
    if (start >= end) return;
    const firstField = points.firstFieldOf(start);
    const fieldEnd = points.fieldEndOf(end - 1);
    if (points.#others.size > 0)
      for (let field = firstField; field < fieldEnd; field++) {
        const value = points.#others.get(field);
        if (value !== undefined) this.#others.set(this.#fieldCount + field - firstField, value);
      }
    this.#reserve(end - start, fieldEnd - firstField);
    this.times.append(points.times, start, end);
    this.#floats.set(points.#floats.subarray(firstField, fieldEnd), this.#fieldCount);
    const shift = this.#fieldCount - firstField;
    const nameSlotOf = slotsOnce(points.#names.length, fieldEnd - firstField, (slot) =>
      this.#slotNamed(points.#names[slot]!),
    );
    for (let field = firstField; field < fieldEnd; field++)
      this.#nameSlots[field + shift] = nameSlotOf(points.#nameSlots[field]!);
    const labelSlotOf = slotsOnce(points.#labels.length, end - start, (slot) => {
      const { measurement, tags } = points.#labels[slot]!;
      return this.#labelSlotOf(measurement, tags);
    });
    for (let index = start; index < end; index++) {
      const at = this.#length + index - start;
      this.#labelSlots[at] = labelSlotOf(points.#labelSlots[index]!);
      this.#fieldEnds[at] = points.#fieldEnds[index]! + shift;
    }
    this.#length += end - start;
    this.#fieldCount += fieldEnd - firstField;
  }

  /** Forgets all points and keeps the room; labels and names too, unless there are very many. */
  clear(): void {
    this.times.clear();
    this.#others.clear();
    this.#length = 0;
    this.#fieldCount = 0;
    if (this.#labels.length + this.#names.length <= KEPT_LABELS) return;
    this.#labels.length = 0;
    this.#slotOfTags.clear();
    this.#names.length = 0;
    this.#slotOfName.clear();
  }

  #reserve(points: number, fields: number): void {
    this.times.reserve(points);
    if (this.#length + points > this.#labelSlots.length) this.#growPoints(this.#length + points);
    if (this.#fieldCount + fields > this.#floats.length) this.#growFields(this.#fieldCount + fields);
  }

  #growPoints(needed: number): void {
    const capacity = Math.max(needed, this.#labelSlots.length * 2);
    this.#labelSlots = grown(this.#labelSlots, new Uint32Array(capacity));
    this.#fieldEnds = grown(this.#fieldEnds, new Uint32Array(capacity));
  }

  #growFields(needed: number): void {
    const capacity = Math.max(needed, this.#floats.length * 2);
    this.#nameSlots = grown(this.#nameSlots, new Uint32Array(capacity));
    this.#floats = grown(this.#floats, new Float64Array(capacity));
  }

  #pushLabels(slot: number): void {
    const at = this.#length++;
    if (at === this.#labelSlots.length) this.#growPoints(at + 1);
    this.#labelSlots[at] = slot;
    this.#fieldEnds[at] = this.#fieldCount;
  }

  #pushField(nameSlot: number, value: number): void {
    const at = this.#fieldCount++;
    if (at === this.#nameSlots.length) this.#growFields(at + 1);
    this.#nameSlots[at] = nameSlot;
    this.#floats[at] = value;
  }

  /** By the array of tags itself, which points of one series mostly share. Most often the labels after the last. */
  #labelSlotOf(measurement: string, tags: readonly Tag[]): number {
    const next = this.#lastLabel + 1 < this.#labels.length ? this.#lastLabel + 1 : 0;
    if (this.#hasLabels(next, measurement, tags)) {
      this.#lastLabel = next;
      return next;
    }
    let slot = this.#slotOfTags.get(tags);
    if (slot === undefined || !this.#hasLabels(slot, measurement, tags)) {
      slot = this.#labels.push({ measurement, tags }) - 1;
      this.#slotOfTags.set(tags, slot);
    }
    this.#lastLabel = slot;
    return slot;
  }

  #hasLabels(slot: number, measurement: string, tags: readonly Tag[]): boolean {
    const labels = this.#labels[slot];
    return labels?.tags === tags && labels.measurement === measurement;
  }

  /** Most often the name that came after the last one before. */
  #slotNamed(name: string): number {
    const next = this.#lastName + 1 < this.#names.length ? this.#lastName + 1 : 0;
    if (this.#names[next] === name) {
      this.#lastName = next;
      return next;
    }
    let slot = this.#slotOfName.get(name);
    if (slot === undefined) {
      slot = this.#names.push(name) - 1;
      this.#slotOfName.set(name, slot);
    }
    this.#lastName = slot;
    return slot;
  }

  /** The point, made anew for each call. */
  at(index: number): Point {
    const start = this.firstFieldOf(index);
    const end = this.fieldEndOf(index);
    const fields: [string, FieldValue][] = [[this.fieldAt(start), this.valueAt(start)]];
    for (let field = start + 1; field < end; field++) fields.push([this.fieldAt(field), this.valueAt(field)]);
    const { measurement, tags } = this.#labels[this.#labelSlots[index]!]!;
    return { measurement, tags, fields, timeNs: this.times.at(index) };
  }

  /** Those from `start` up to `end`, or all of them; made anew for each call. */
  toArray(start = 0, end = this.length): Point[] {
    const points: Point[] = [];
    for (let index = start; index < Math.min(end, this.length); index++) points.push(this.at(index));
    return points;
  }

  measurementOf(index: number): string {
    return this.#labels[this.#labelSlots[index]!]!.measurement;
  }

  tagsOf(index: number): readonly Tag[] {
    return this.#labels[this.#labelSlots[index]!]!.tags;
  }

  /** Where the point's labels stand in `labels`; points of one slot are of one series set. */
  labelSlotOf(index: number): number {
    return this.#labelSlots[index]!;
  }

  /** Each with a slot of its own; the same may stand there more than once. */
  get labels(): readonly Labels[] {
    return this.#labels;
  }

  /** Where the fields of the point at `index` begin, among those of all points; there is at least one. */
  firstFieldOf(index: number): number {
    return index === 0 ? 0 : this.#fieldEnds[index - 1]!;
  }

  fieldEndOf(index: number): number {
    return this.#fieldEnds[index]!;
  }

  fieldAt(field: number): string {
    return this.#names[this.#nameSlots[field]!]!;
  }

  /** Names of fields; the same stands there once. */
  get names(): readonly string[] {
    return this.#names;
  }

  /** Where the name of the field stands in `names`. */
  nameSlotOf(field: number): number {
    return this.#nameSlots[field]!;
  }

  isFloat(field: number): boolean {
    return this.#others.size === 0 || !this.#others.has(field);
  }

  /** The value of a field that is a float. */
  floatAt(field: number): number {
    return this.#floats[field]!;
  }

  valueAt(field: number): FieldValue {
    if (this.#others.size === 0) return this.#floats[field]!;
    return this.#others.get(field) ?? this.#floats[field]!;
  }
}

/** Finds what belongs to a slot, once for each of them where there are as many look-ups. */
function slotsOnce(slots: number, lookUps: number, find: (slot: number) => number): typeof find {
  if (lookUps < slots) return find;
  const found = new Int32Array(slots).fill(-1);
  return (slot) => {
    if (found[slot] === -1) found[slot] = find(slot);
    return found[slot]!;
  };
}

function grown<Column extends Uint32Array | Float64Array>(column: Column, larger: Column): Column {
  larger.set(column);
  return larger;
}
