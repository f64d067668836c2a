import { encodeExactLine, type ImportedRow, type Point, type Submission } from '@tidemark/core';
import type { DraftReading, Fault } from './decoders/decoded.ts';
import { jsonOf } from './decoders/fields.ts';
import type { MessageStamps } from './message-stamps.ts';

/** What a person needs of them to see what is wrong. */
const MAX_DETAILS = 10;

/** A fault, and when its part of the message was given. */
export interface GivenFault extends Fault {
  timeNs: bigint;
}

/**
 * A refused reading without a time is replayed with the stamp of its accepted part, else with one of its own, so
 * that it never takes the place of another reading.
 */
export function giveTimes(
  faults: readonly Fault[],
  stampOf: Map<number, bigint>,
  stamps: MessageStamps,
): GivenFault[] {
  return faults.map((fault) => {
    const timeNs = stampOf.get(fault.index) ?? stamps.next();
    stampOf.set(fault.index, timeNs);
    return { ...fault, timeNs };
  });
}

/** Of a message that is refused as a whole: one fault for each reason, since each is kept with all of it. */
export function giveTimeToWhole(faults: readonly Fault[], stamps: MessageStamps): GivenFault[] {
  const byReason = Map.groupBy(faults, ({ reason }) => reason);
  return Array.from(byReason.values(), (alike) => {
    const details = new Set(alike.slice(0, MAX_DETAILS).map(({ detail }) => detail));
    const more = alike.length > MAX_DETAILS ? [`and ${alike.length - MAX_DETAILS} more`] : [];
    return { ...alike[0]!, detail: [...details, ...more].join('; '), timeNs: stamps.first };
  });
}

/** The stamps of readings that were given one, by their position in the message. */
export function stampsByIndex(
  readings: readonly Pick<DraftReading, 'index' | 'timeNs'>[],
  points: readonly (Point | undefined)[],
): Map<number, bigint> {
  const stampOf = new Map<number, bigint>();
  readings.forEach(({ index, timeNs }, at) => {
    const point = points[at];
    if (point !== undefined && point.timeNs !== timeNs) stampOf.set(index, point.timeNs);
  });
  return stampOf;
}

/** The bytes at fault: the part of the message, or the whole of it. */
export function rawOf(submission: Submission, { raw, index }: Fault): Uint8Array {
  if (raw instanceof Uint8Array) return raw;
  if (isMade(raw)) return raw();
  if (raw === undefined && submission.source === 'import') return lineOf(submission.rows, index);
  const text = typeof raw === 'string' ? raw : jsonOf(raw ?? null);
  const isWhole = raw === undefined || text === undefined;
  if (isWhole && 'payload' in submission) return submission.payload;
  return Buffer.from(text ?? '');
}

/** Bytes that are made only for a part that is refused. */
function isMade(raw: unknown): raw is () => Uint8Array {
  return typeof raw === 'function';
}

/** An imported point as the line that a replay reads it from. */
function lineOf(rows: readonly ImportedRow[], index: number): Uint8Array {
  const row = rows.find((one) => one.index === index);
  return Buffer.from(row === undefined || !('point' in row) ? '' : encodeExactLine(row.point));
}
