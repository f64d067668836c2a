import { isUtf8 } from 'node:buffer';
import {
  isOwnMeasurement,
  LineFault,
  lineScanner,
  PointColumns,
  READINGS,
  type Submission,
  timeUnits,
} from '@tidemark/core';
import type { ClockLimits } from './clock-limits.ts';

interface PlainOptions {
  clockLimits: ClockLimits;
  nowNs: bigint;
  maxFields: number;
}

/**
 * The points of line protocol in which nothing is to be decided: every line is one, brings a time that may be, and
 * is of a measurement that only its senders know. Undefined for any other, and then nothing was counted. Most of
 * what senders of line protocol send is such, and goes into the log as it came, with no object made for a point.
 */
export function readPlainLines(
  { payload, unit, firstGivenNs }: Submission & { source: 'line_protocol' },
  { clockLimits, nowNs, maxFields }: PlainOptions,
): PointColumns | undefined {
  if (firstGivenNs !== undefined || !isUtf8(payload)) return undefined;
  const points = new PointColumns();
  lineScanner.reset(payload, { unit: timeUnits[unit] });
  try {
    while (!lineScanner.atEnd()) {
      if (!lineScanner.scanLine()) continue;
      const { series, fieldCount, hasTime } = lineScanner;
      if (!hasTime || fieldCount > maxFields || !isForeign(series.measurement)) return undefined;
      points.pushLine(lineScanner);
    }
  } catch (error) {
    if (error instanceof LineFault) return undefined;
    throw error;
  }
  return clockLimits.areKept(points.times, nowNs) ? points : undefined;
}

function isForeign(measurement: string): boolean {
  return measurement !== READINGS && !isOwnMeasurement(measurement);
}
