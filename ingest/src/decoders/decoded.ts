import type { MetricValue, ParsedPoint, QuarantineReason } from '@tidemark/core';

/** Readings of one message before they have a time: what a decoder answers. */
export interface Decoded {
  readings: readonly DraftReading[];
  /** Line protocol, which needs no more than its times. */
  lines: readonly DraftLine[];
  /** Positions of travellers; undefined where the message was of another kind. */
  positions?: readonly DraftPosition[];
  faults: readonly Fault[];
  /** Set where a part of the message could not be read again alone: what is refused is the whole message. */
  isWhole?: boolean | undefined;
}

export interface DraftLine {
  /** Number of the line in the message, from 0. */
  index: number;
  /** Where it stands in the message. */
  start: number;
  end: number;
  point: ParsedPoint;
}

export interface DraftReading {
  /** Position in the message, from 0. */
  index: number;
  sensor: string;
  location: string | undefined;
  /** Undefined: the time of acceptance. */
  timeNs: bigint | undefined;
  values: [metric: string, value: MetricValue][];
  /** The part of the message this reading came from, when it is not the whole. */
  raw: unknown;
}

/** Where a traveller was. */
export interface DraftPosition extends Omit<DraftReading, 'location' | 'values'> {
  traveller: string;
  type: string;
  x: number;
  y: number;
}

/** Why a part of a message can't be stored. */
export interface Fault {
  index: number;
  reason: QuarantineReason;
  detail: string;
  sensor?: string | undefined;
  /** The part at fault, when it is not the whole message: JSON, bytes, or what makes the bytes. */
  raw?: unknown;
}

export interface Limits {
  maxReadingsPerMessage: number;
  maxFieldsPerReading: number;
}

const none: readonly never[] = [];

/** What came of JSON: readings, and what was wrong. */
export function decodedReadings(readings: readonly DraftReading[], faults: readonly Fault[]): Decoded {
  return { readings, lines: none, faults };
}

export function onlyFault(reason: QuarantineReason, detail: string, sensor?: string): Decoded {
  return { readings: none, lines: none, faults: [{ index: 0, reason, detail, sensor }] };
}

/**
 * What came of a message whose parts mean nothing alone: it is refused as a whole, and all its readings come again when
 * that is replayed. Those without a time could not be known as the same then, so with a fault among them none is taken
 * yet.
 */
export function keptWhole({ readings, positions, faults }: Decoded): Decoded {
  const drafts = positions ?? readings;
  const isKept = faults.length === 0 || drafts.every(({ timeNs }) => timeNs !== undefined);
  const withoutRaw = <Part extends { raw?: unknown }>(parts: readonly Part[]): Part[] =>
    parts.map((part) => ({ ...part, raw: undefined }));
  return {
    ...decodedReadings(isKept ? withoutRaw(readings) : [], withoutRaw(faults)),
    ...(positions && { positions: isKept ? withoutRaw(positions) : [] }),
    isWhole: true,
  };
}
