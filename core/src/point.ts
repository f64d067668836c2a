/** An unsigned 64-bit integer; bigint alone means a signed one. */
export class Uint64 {
  readonly value: bigint;
  constructor(value: bigint) {
    this.value = value;
  }
}

/** A field's value: float64, int64 (bigint), uint64, boolean or string. Numbers are finite. */
export type FieldValue = number | bigint | Uint64 | boolean | string;

export const fieldTypes = ['float', 'integer', 'unsigned', 'boolean', 'string'] as const;
/** A field's type, by InfluxDB's names. The type of a field is pinned by its first value. */
export type FieldType = (typeof fieldTypes)[number];

export type Tag = readonly [key: string, value: string];
export type Field = readonly [key: string, value: FieldValue];

/**
 * One point of a series: measurement + tag set, at a time. Pairs, not objects, because keys come from
 * users and `__proto__` is a legal one.
 */
export interface Point {
  measurement: string;
  /** Sorted by key, no empty values. */
  tags: readonly Tag[];
  /** At least one; keys are unique. */
  fields: readonly Field[];
  /** Nanoseconds since 1970-01-01 UTC, a signed 64-bit integer. */
  timeNs: bigint;
}

/** The value of a tag; undefined when there is none. */
export function tagOf(tags: readonly Tag[], key: string): string | undefined {
  return tags.find(([name]) => name === key)?.[1];
}

export function fieldTypeOf(value: FieldValue): FieldType {
  switch (typeof value) {
    case 'number':
      return 'float';
    case 'bigint':
      return 'integer';
    case 'boolean':
      return 'boolean';
    case 'string':
      return 'string';
    default:
      return 'unsigned';
  }
}
