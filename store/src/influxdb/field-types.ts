import { type FieldType, fieldTypeOf, type Point } from '@tidemark/core';
import type { FieldInfo } from './schema.ts';

/** Most fields whose type is remembered; InfluxDB alone judges those beyond. */
const maxFields = 1_000_000;

/** A field that a point was the first to give a type to. */
export interface Pin {
  measurement: string;
  field: string;
}

/**
 * The type of each field of each measurement. InfluxDB pins types for each shard, so that a field could be
 * a float in one week and a string in the next; here the first value pins for all time, as on the embedded
 * store. Types that other writers to the bucket give are asked for when InfluxDB refuses one of ours.
 */
export class FieldTypes {
  readonly #types = new Map<string, Map<string, FieldType>>();
  #size = 0;

  /** Forgets all types for those that InfluxDB has. */
  replace(fields: readonly FieldInfo[]): void {
    this.#types.clear();
    this.#size = 0;
    for (const { measurement, field, type } of fields) this.set(measurement, field, type);
  }

  /** The types that a measurement's fields are pinned to. */
  of(measurement: string): ReadonlyMap<string, FieldType> | undefined {
    return this.#types.get(measurement);
  }

  /** Remembers the types of a point that is about to be written; returns those that are new. */
  pin({ measurement, fields }: Point): Pin[] {
    return fields
      .filter(([field, value]) => this.set(measurement, field, fieldTypeOf(value)))
      .map(([field]) => ({ measurement, field }));
  }

  /** Forgets types, since the point that brought them was refused. */
  unpin(pins: readonly Pin[]): void {
    for (const { measurement, field } of pins) {
      if (this.#types.get(measurement)?.delete(field)) this.#size -= 1;
    }
  }

  /** True when the field had no type yet. */
  set(measurement: string, field: string, type: FieldType): boolean {
    let types = this.#types.get(measurement);
    if (types?.has(field) || this.#size >= maxFields) return false;
    if (types === undefined) {
      types = new Map();
      this.#types.set(measurement, types);
    }
    types.set(field, type);
    this.#size += 1;
    return true;
  }
}
