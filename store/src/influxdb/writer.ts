import { encodeLine, encodeSeriesKey, type Field, type FieldValue, type Point } from '@tidemark/core';
import type { RejectedPoint } from '../engine.ts';
import { fitTypes, type TypePolicy } from '../type-policy.ts';
import type { Connection, WriteFault } from './connection.ts';
import type { FieldTypes, Pin } from './field-types.ts';
import { encodeNames, pointProblem } from './names.ts';

interface Item {
  /** Position in the batch. */
  index: number;
  /** Under the names that line protocol can carry. */
  point: Point;
  /** Types that this point was the first to give. */
  pins: readonly Pin[];
}

/** All points of a batch with one series and time, which together make one line. */
type Unit = readonly Item[];

interface WriterDeps {
  connection: Connection;
  types: FieldTypes;
  typePolicy: TypePolicy;
}

/**
 * Writes a batch, its duplicates resolved before: InfluxDB may keep the first of two points of one
 * identity that reach it together. Points that it refuses are found by halving, and the rest is written.
 */
export async function writeBatch(points: readonly Point[], deps: WriterDeps): Promise<RejectedPoint[]> {
  const rejected: RejectedPoint[] = [];
  const units = new Map<string, Item[]>();
  for (const [index, given] of points.entries()) {
    const detail = pointProblem(given);
    if (detail !== undefined) {
      rejected.push({ index, reason: 'store_rejected', detail });
      continue;
    }
    const point = fitTypes(given, deps.types.of(given.measurement), deps.typePolicy);
    if (typeof point === 'string') {
      rejected.push({ index, reason: 'type_conflict', detail: point });
      continue;
    }
    const item = { index, point: encodeNames(point), pins: deps.types.pin(point) };
    const identity = `${encodeSeriesKey(point.measurement, point.tags)} ${point.timeNs}`;
    const unit = units.get(identity);
    if (unit === undefined) units.set(identity, [item]);
    else unit.push(item);
  }
  await writeUnits([...units.values()], rejected, deps);
  repin(points, rejected, deps.types);
  return rejected.sort((a, b) => a.index - b.index);
}

async function writeUnits(
  units: readonly Unit[],
  rejected: RejectedPoint[],
  deps: WriterDeps,
): Promise<void> {
  if (units.length === 0) return;
  const fault = await deps.connection.write(units.map(encodeUnit).join('\n'));
  if (fault === undefined) return;
  const [first] = units as [Unit];
  if (units.length > 1) {
    const middle = units.length >> 1;
    await writeUnits(units.slice(0, middle), rejected, deps);
    await writeUnits(units.slice(middle), rejected, deps);
  } else if (first.length > 1) {
    // One bad point must not cost those it was joined with.
    for (const item of first) await writeUnits([[item]], rejected, deps);
  } else {
    refuse(first[0]!, fault, rejected, deps.types);
  }
}

function refuse(
  { index, pins }: Item,
  fault: WriteFault,
  rejected: RejectedPoint[],
  types: FieldTypes,
): void {
  types.unpin(pins);
  const reason = fault.message.includes('field type conflict') ? 'type_conflict' : 'store_rejected';
  rejected.push({ index, reason, detail: fault.message });
}

/** A type that came with a refused point may have come with one that was taken, too. */
function repin(points: readonly Point[], rejected: readonly RejectedPoint[], types: FieldTypes): void {
  if (rejected.length === 0) return;
  const refused = new Set(rejected.map(({ index }) => index));
  for (const [index, point] of points.entries()) if (!refused.has(index)) types.pin(point);
}

function encodeUnit(unit: Unit): string {
  const { point } = unit[0]!;
  return encodeLine(unit.length === 1 ? point : { ...point, fields: mergeFields(unit) });
}

/** The last value of each field. */
function mergeFields(unit: Unit): Field[] {
  return [...new Map<string, FieldValue>(unit.flatMap(({ point }) => point.fields))];
}
