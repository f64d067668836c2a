import { encodeLine, encodeSeriesKey, type Field, type FieldValue, type Point } from '@tidemark/core';
import type { RejectedPoint } from '../engine.ts';
import { fitTypes, type TypePolicy } from '../type-policy.ts';
import type { FieldTypes, Pin } from './field-types.ts';
import { encodeNames, pointProblem } from './names.ts';

/** A point on its way to InfluxDB. */
interface Item {
  /** Position in the batch. */
  index: number;
  /** As it was given. */
  given: Point;
  /** In the types that its fields have. */
  fitted: Point;
  /** Types that this point was the first to give. */
  pins: readonly Pin[];
}

/** All points of a batch with one series and time, which together make one line. */
export type Unit = readonly Item[];

interface Staging {
  types: FieldTypes;
  typePolicy: TypePolicy;
  /** Gets the points that need not be sent at all. */
  rejected: RejectedPoint[];
}

/**
 * Makes units of points, in order of the batch: InfluxDB may keep the first of two points of one identity that
 * reach it together.
 */
export function stage(
  points: Iterable<readonly [index: number, given: Point]>,
  { types, typePolicy, rejected }: Staging,
): Unit[] {
  const units = new Map<string, Item[]>();
  for (const [index, given] of points) {
    const problem = pointProblem(given);
    if (problem !== undefined) {
      rejected.push({ index, reason: 'store_rejected', detail: problem });
      continue;
    }
    const fitted = fitTypes(given, types.of(given.measurement), typePolicy);
    if (typeof fitted === 'string') {
      rejected.push({ index, reason: 'type_conflict', detail: fitted });
      continue;
    }
    const item = { index, given, fitted, pins: types.pin(fitted) };
    const identity = `${encodeSeriesKey(given.measurement, given.tags)} ${given.timeNs}`;
    const unit = units.get(identity);
    if (unit === undefined) units.set(identity, [item]);
    else unit.push(item);
  }
  return [...units.values()];
}

/** The unit as one line, with the last value of each field, under names that line protocol can carry. */
export function lineOf(unit: Unit): string {
  const { fitted } = unit[0]!;
  if (unit.length === 1) return encodeLine(encodeNames(fitted));
  const fields: Field[] = [...new Map<string, FieldValue>(unit.flatMap((item) => item.fitted.fields))];
  return encodeLine(encodeNames({ ...fitted, fields }));
}
