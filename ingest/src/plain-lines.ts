import { isUtf8 } from 'node:buffer';
import {
  type FieldType,
  fieldTypeOf,
  isOwnMeasurement,
  LineFault,
  type LineField,
  LineScanner,
  PointColumns,
  READINGS,
  type Submission,
  TRAVELLERS,
  timeUnits,
} from '@tidemark/core';
import type { ClockLimits } from './clock-limits.ts';
import type { FieldPins } from './field-pins.ts';

interface PlainLinesOptions {
  clockLimits: ClockLimits;
  pins: Pick<FieldPins, 'isStrict' | 'pin' | 'typeOf'>;
  maxFields: number;
}

/** A field that no line had before. */
interface FreshField {
  measurement: string;
  field: string;
  type: FieldType;
}

/**
 * Reads line protocol in which nothing is to be decided: every line is one, brings a time that may be, and is of a
 * measurement that only its senders know, with values of the types its fields have. Most of what senders of line
 * protocol send is such, and goes into the log as it came, with no object made for a point.
 */
export class PlainLines {
  readonly #options: PlainLinesOptions;
  readonly #scanner = new LineScanner();
  readonly #points = new PointColumns();

  constructor(options: PlainLinesOptions) {
    this.#options = options;
  }

  /**
   * The points, which stand until the next call; undefined where something is to be decided, and then nothing was
   * counted or pinned.
   */
  read(
    { payload, unit, firstGivenNs }: Submission & { source: 'line_protocol' },
    nowNs: bigint,
  ): PointColumns | undefined {
    if (firstGivenNs !== undefined || !isUtf8(payload)) return undefined;
    const scanner = this.#scanner;
    const points = this.#points;
    points.clear();
    const fresh = new Map<string, FreshField>();
    scanner.reset(payload, { unit: timeUnits[unit] });
    try {
      while (!scanner.atEnd()) {
        if (!scanner.scanLine()) continue;
        if (!this.#isPlain(fresh)) return undefined;
        points.pushLine(scanner);
      }
    } catch (error) {
      if (error instanceof LineFault) return undefined;
      throw error;
    }
    const { clockLimits, pins } = this.#options;
    if (!clockLimits.areKept(points.times, nowNs)) return undefined;
    for (const field of fresh.values()) pins.pin(field);
    return points;
  }

  #isPlain(fresh: Map<string, FreshField>): boolean {
    const { series, fieldCount, fields, hasTime, others } = this.#scanner;
    const { measurement } = series;
    if (!hasTime || fieldCount > this.#options.maxFields) return false;
    if (measurement === READINGS || measurement === TRAVELLERS || isOwnMeasurement(measurement)) return false;
    if (!this.#options.pins.isStrict) return true;
    for (let index = 0; index < fieldCount; index++) {
      const other = others.size === 0 ? undefined : others.get(index);
      const type = other === undefined ? 'float' : fieldTypeOf(other);
      if (fields[index]!.type !== type && !this.#fits(measurement, fields[index]!, type, fresh)) return false;
    }
    return true;
  }

  #fits(measurement: string, field: LineField, type: FieldType, fresh: Map<string, FreshField>): boolean {
    const pinned = this.#options.pins.typeOf(measurement, field.name);
    if (pinned !== undefined) {
      if (pinned !== type) return false;
      field.type = type;
      return true;
    }
    const key = JSON.stringify([measurement, field.name]);
    const known = fresh.get(key);
    if (known === undefined) fresh.set(key, { measurement, field: field.name, type });
    return known === undefined || known.type === type;
  }
}
