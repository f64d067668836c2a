import type { Point, PointColumns } from '@tidemark/core';
import type { RejectedPoint } from '../engine.ts';
import type { TypePolicy } from '../type-policy.ts';
import type { Connection, WriteFault } from './connection.ts';
import type { FieldTypes } from './field-types.ts';
import { plainLines } from './plain-lines.ts';
import { isAboutAll, isTypeConflict, unparsedLines } from './refusals.ts';
import { loadFields } from './schema.ts';
import { lineOf, stage, type Unit } from './units.ts';

interface WriterDeps {
  connection: Connection;
  types: FieldTypes;
  typePolicy: TypePolicy;
}

/** A batch that is being written. */
interface Batch extends WriterDeps {
  rejected: RejectedPoint[];
  /** True once a part was refused. */
  isFaulty: boolean;
  /** True once the types were asked of InfluxDB anew. */
  knowsTypes: boolean;
}

/** Points of one request: InfluxDB is no faster with more, and making their lines holds up the event loop. */
const REQUEST_POINTS = 10_000;

/** Writes points in requests of so many, one after another. */
export async function writePoints(points: PointColumns, deps: WriterDeps): Promise<RejectedPoint[]> {
  const rejected: RejectedPoint[] = [];
  for (let start = 0; start < points.length; start += REQUEST_POINTS) {
    const part = points.toArray(start, start + REQUEST_POINTS);
    for (const refusal of await writeBatch(part, deps))
      rejected.push({ ...refusal, index: start + refusal.index });
  }
  return rejected;
}

/**
 * Writes a batch; what InfluxDB refuses is found, and the rest is written. Lines that it cannot parse it names.
 * A type that it has from another writer is asked for, once, and the points fitted anew. Others are found by
 * halving: one in n costs 2 log2(n) requests, and however many, they cost 2 n at most.
 */
async function writeBatch(points: readonly Point[], deps: WriterDeps): Promise<RejectedPoint[]> {
  const lines = plainLines(points, deps.types);
  const fault = lines === undefined ? undefined : await deps.connection.write(lines);
  if (lines !== undefined && fault === undefined) return [];
  const batch: Batch = { ...deps, rejected: [], isFaulty: false, knowsTypes: false };
  const units = stage(points.entries(), batch);
  if (fault === undefined) await writeUnits(units, batch);
  else await sortOut(fault, units, units.map(lineOf), batch);
  return batch.rejected.sort((a, b) => a.index - b.index);
}

async function writeUnits(units: readonly Unit[], batch: Batch): Promise<void> {
  if (units.length === 0) return;
  const lines = units.map(lineOf);
  const fault = await batch.connection.write(lines.join('\n'));
  if (fault === undefined) return pinTaken(units, batch);
  await sortOut(fault, units, lines, batch);
}

/** Finds those units that InfluxDB refuses, whose lines it has just not taken, and writes the others. */
async function sortOut(
  fault: WriteFault,
  units: readonly Unit[],
  lines: readonly string[],
  batch: Batch,
): Promise<void> {
  batch.isFaulty = true;
  const reasons = reasonsOf(fault, lines);
  if (reasons.size > 0) {
    const isRefused = (_: Unit, index: number) => reasons.has(lines[index]!);
    for (const unit of units.filter(isRefused)) await refuse(unit, reasons.get(lineOf(unit))!, batch);
    return writeUnits(
      units.filter((unit, index) => !isRefused(unit, index)),
      batch,
    );
  }
  if (isTypeConflict(fault.message) && !batch.knowsTypes) return writeFittedAnew(units, batch);
  const middle = units.length >> 1;
  await writeUnits(units.slice(0, middle), batch);
  await writeUnits(units.slice(middle), batch);
}

/** The reasons of those lines that certainly are refused, by line; none when that is not known of any. */
function reasonsOf({ kind, message }: WriteFault, lines: readonly string[]): Map<string, string> {
  const isSure = lines.length === 1 || (kind === 'refused' && isAboutAll(message, lines.length));
  return isSure ? new Map(lines.map((line) => [line, message])) : unparsedLines(message, new Set(lines));
}

/** Another writer to the bucket has given fields their types. */
async function writeFittedAnew(units: readonly Unit[], batch: Batch): Promise<void> {
  batch.knowsTypes = true;
  batch.types.replace(await loadFields(batch.connection));
  const items = units.flat().sort((a, b) => a.index - b.index);
  const points = items.map(({ index, given }) => [index, given] as const);
  await writeUnits(stage(points, batch), batch);
}

async function refuse(unit: Unit, detail: string, batch: Batch): Promise<void> {
  if (unit.length > 1) {
    // One bad point must not cost those it was joined with.
    for (const item of unit) await writeUnits([[item]], batch);
    return;
  }
  const { index, pins } = unit[0]!;
  batch.types.unpin(pins);
  batch.rejected.push({ index, reason: isTypeConflict(detail) ? 'type_conflict' : 'store_rejected', detail });
}

/** A type that came first with a refused point has come with one that was taken, too. */
function pinTaken(units: readonly Unit[], { types, isFaulty }: Batch): void {
  if (isFaulty) for (const { fitted } of units.flat()) types.pin(fitted);
}
