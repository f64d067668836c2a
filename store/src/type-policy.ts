import {
  type Config,
  type Field,
  type FieldType,
  type FieldValue,
  fieldTypeOf,
  type Point,
  READINGS,
  Uint64,
} from '@tidemark/core';

/** What becomes of a value whose type is not the one that its field is pinned to. */
export type TypePolicy = Config['store']['typePolicy'];

const numericTypes: readonly FieldType[] = ['float', 'integer', 'unsigned'];
const wholeNumber = /^[+-]?\d{1,20}$/;
const decimalNumber = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/**
 * The point with its values in the types that `pins` holds for its fields, or the reason (a text) why it can't
 * be had under the policy. A point that fits already is returned as it is.
 */
export function fitTypes(
  point: Point,
  pins: ReadonlyMap<string, FieldType> | undefined,
  policy: TypePolicy,
): Point | string {
  let fields: Field[] | undefined;
  for (let index = 0; index < point.fields.length; index++) {
    const [field, value] = point.fields[index]!;
    const pinned = pins?.get(field);
    if (pinned === undefined || pinned === fieldTypeOf(value)) continue;
    const converted = mayConvert(point.measurement, value, pinned, policy)
      ? convert(value, pinned)
      : undefined;
    if (converted === undefined) return conflictText(point.measurement, field, value, pinned);
    fields ??= [...point.fields];
    fields[index] = [field, converted];
  }
  return fields === undefined ? point : { ...point, fields };
}

/** The value in another type, or undefined when something of it would be lost. */
export function convert(value: FieldValue, type: FieldType): FieldValue | undefined {
  switch (type) {
    case 'float':
      return toFloat(value);
    case 'integer':
      return toWhole(value, -(2n ** 63n), 2n ** 63n - 1n);
    case 'unsigned': {
      const whole = toWhole(value, 0n, 2n ** 64n - 1n);
      return whole === undefined ? undefined : new Uint64(whole);
    }
    case 'boolean':
      return toBoolean(value);
    case 'string':
      return Object.is(value, -0) ? '-0' : String(value instanceof Uint64 ? value.value : value);
  }
}

function mayConvert(measurement: string, value: FieldValue, pinned: FieldType, policy: TypePolicy): boolean {
  if (policy === 'coerce') return true;
  // The integers of a metric that another writer, or an earlier version, pinned as such come as floats.
  if (measurement === READINGS && typeof value === 'number' && pinned !== 'string') return true;
  return policy === 'pin' && numericTypes.includes(pinned) && numericTypes.includes(fieldTypeOf(value));
}

function toFloat(value: FieldValue): number | undefined {
  const number = typeof value === 'string' ? numberOfText(value) : value;
  if (number === undefined || typeof number === 'number') return number;
  if (typeof number === 'boolean') return Number(number);
  const whole = number instanceof Uint64 ? number.value : (number as bigint);
  return BigInt(Number(whole)) === whole ? Number(whole) : undefined;
}

function toWhole(value: FieldValue, least: bigint, most: bigint): bigint | undefined {
  const number = typeof value === 'string' ? numberOfText(value) : value;
  const whole = number === undefined ? undefined : wholeOf(number);
  return whole === undefined || whole < least || whole > most ? undefined : whole;
}

function wholeOf(number: Exclude<FieldValue, string>): bigint | undefined {
  if (number instanceof Uint64) return number.value;
  // The sign of a zero would be lost.
  if (Object.is(number, -0) || (typeof number === 'number' && !Number.isInteger(number))) return undefined;
  return BigInt(number);
}

function toBoolean(value: FieldValue): boolean | undefined {
  if (value === 'true') return true;
  if (value === 'false') return false;
  const whole = typeof value === 'string' ? undefined : toWhole(value, 0n, 1n);
  return whole === undefined ? undefined : whole === 1n;
}

/** A number as JSON would read it, but whole ones exactly; undefined where it would be infinite or vanish. */
function numberOfText(text: string): number | bigint | undefined {
  if (wholeNumber.test(text) && !/^-0+$/.test(text)) return BigInt(text.replace('+', ''));
  if (!decimalNumber.test(text)) return undefined;
  const number = Number(text);
  const isLost = !Number.isFinite(number) || (number === 0 && /[1-9]/.test(text.split(/e/i)[0]!));
  return isLost ? undefined : number;
}

function conflictText(measurement: string, field: string, value: FieldValue, pinned: FieldType): string {
  const found = fieldTypeOf(value);
  const place = `field ${JSON.stringify(field)} of ${JSON.stringify(measurement)}`;
  return `${place} is ${pinned}, and this ${found} is not taken for one (store.typePolicy)`;
}
