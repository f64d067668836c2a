import type { MetricValue } from '@tidemark/core';
import type { Fault } from '../decoded.ts';
import type { Metric } from './generated/sparkplug_b.ts';

/** Data types by their numbers in the specification (section 6.4.16): bits of integers, and whether they have a sign. */
const integers: Readonly<Record<number, readonly [bits: number, isSigned: boolean]>> = {
  1: [8, true],
  2: [16, true],
  3: [32, true],
  4: [64, true],
  5: [8, false],
  6: [16, false],
  7: [32, false],
  8: [64, false],
  // A DateTime is milliseconds since 1970.
  13: [64, false],
};
/** Float, Double, Boolean, String, Text, UUID: their values say themselves what they are. */
const scalars: ReadonlySet<number> = new Set([9, 10, 11, 12, 14, 15]);
const names: Readonly<Record<number, string>> = {
  16: 'a data set',
  17: 'bytes',
  18: 'a file',
  19: 'a template',
  20: 'a property set',
  21: 'a list of property sets',
};
const FIRST_ARRAY = 22;
const LAST_ARRAY = 34;

type Problem = Pick<Fault, 'reason' | 'detail'>;

/** The value of a metric of this data type, or why it has none that can be stored. The metric is not null. */
export function storedValue({ value }: Metric, name: string, datatype: number): MetricValue | Problem {
  const refused = kindOf(datatype);
  if (refused !== undefined) return { reason: 'wrong_type', detail: `${name} is ${refused}` };
  if (value === undefined) return { reason: 'missing_value', detail: `${name} has no value` };
  switch (value.$case) {
    case 'intValue':
    case 'longValue':
      return integerOf(value.value, datatype);
    case 'floatValue':
    case 'doubleValue':
      if (Number.isFinite(value.value)) return value.value;
      return { reason: 'not_finite', detail: `${name} is no finite number` };
    case 'booleanValue':
    case 'stringValue':
      return value.value;
    default:
      return { reason: 'wrong_type', detail: `${name} holds bytes, not a value of its data type` };
  }
}

/** Why values of a data type are not stored; undefined when they are. */
function kindOf(datatype: number): string | undefined {
  if (datatype in integers || scalars.has(datatype)) return undefined;
  if (datatype >= FIRST_ARRAY && datatype <= LAST_ARRAY) return 'an array';
  return names[datatype] ?? `of the unknown data type ${datatype}`;
}

/** Signed integers are sent as the two's complement in an unsigned one; what has no other place is a double here. */
function integerOf(value: number | bigint, datatype: number): MetricValue {
  if (datatype === BOOLEAN) return Number(value) !== 0;
  const [bits, isSigned] = integers[datatype] ?? plain;
  return Number((isSigned ? BigInt.asIntN : BigInt.asUintN)(bits, BigInt(value)));
}

const BOOLEAN = 11;
const plain = [64, false] as const;
