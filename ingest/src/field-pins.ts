import { type Config, type FieldType, fieldTypeOf, type Point } from '@tidemark/core';

/** Fields whose types are known here; the store knows all, and judges what is not. */
const MAX_FIELDS = 200_000;

interface PinnedField {
  measurement: string;
  field: string;
  type: FieldType;
}

/**
 * The types that fields of line protocol are pinned to, so that who writes a value of another one is told at once. The
 * store pins them for good, and looks again.
 */
export class FieldPins {
  readonly #pins = new Map<string, Map<string, FieldType>>();
  /** False where values are converted: then the store alone judges. */
  readonly isStrict: boolean;
  #count = 0;

  /** With another policy than `quarantine` values are converted, and what cannot be, the store finds. */
  constructor(policy: Config['store']['typePolicy']) {
    this.isStrict = policy === 'quarantine';
  }

  typeOf(measurement: string, field: string): FieldType | undefined {
    return this.#pins.get(measurement)?.get(field);
  }

  /** The first type of a field is its last. */
  pin({ measurement, field, type }: PinnedField): void {
    if (!this.isStrict || this.#count >= MAX_FIELDS) return;
    let fields = this.#pins.get(measurement);
    if (fields === undefined) {
      fields = new Map();
      this.#pins.set(measurement, fields);
    }
    if (fields.has(field)) return;
    fields.set(field, type);
    this.#count += 1;
  }

  /** Why a point cannot be stored, in InfluxDB's words; undefined, with its fields pinned, when it can. */
  problemOf({ measurement, fields }: Point): string | undefined {
    for (const [field, value] of fields) {
      const pinned = this.typeOf(measurement, field);
      const type = fieldTypeOf(value);
      if (pinned !== undefined && pinned !== type)
        return (
          `field type conflict: input field ${JSON.stringify(field)} on measurement ` +
          `${JSON.stringify(measurement)} is type ${type}, already exists as type ${pinned}`
        );
    }
    for (const [field, value] of fields) this.pin({ measurement, field, type: fieldTypeOf(value) });
    return undefined;
  }
}
