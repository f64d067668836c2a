import { isUtf8 } from 'node:buffer';
import { encodeLine, isOwnMeasurement, type ParsedPoint, parseLines } from '@tidemark/core';
import { type Decoded, type Fault, type Limits, onlyFault } from './decoded.ts';

/** `lines/<anything>`: line protocol, one or many lines, times in nanoseconds. */
export function decodeLines(payload: Buffer, limits: Limits): Decoded {
  if (!isUtf8(payload)) return onlyFault('invalid_utf8', 'the payload is no UTF-8');
  const points: ParsedPoint[] = [];
  const faults: Fault[] = [];
  let index = 0;
  for (const line of parseLines(payload.toString('utf8'))) {
    if (index >= limits.maxReadingsPerMessage) {
      return onlyFault('too_many_readings', `more than ${limits.maxReadingsPerMessage} lines in a message`);
    }
    if ('problem' in line) {
      faults.push({
        index,
        reason: 'bad_line',
        detail: `line ${line.line}: ${line.problem}`,
        raw: line.text,
      });
    } else if (line.point.fields.length > limits.maxFieldsPerReading) {
      const detail = `line ${line.line}: ${line.point.fields.length} fields; the limit is ${limits.maxFieldsPerReading}`;
      faults.push({ index, reason: 'too_many_fields', detail, raw: lineOf(line.point) });
    } else if (isOwnMeasurement(line.point.measurement)) {
      const detail = `line ${line.line}: only Tidemark itself writes the measurement ${line.point.measurement}`;
      faults.push({ index, reason: 'reserved_measurement', detail, raw: lineOf(line.point) });
    } else {
      points.push(line.point);
    }
    index++;
  }
  if (index === 0) return onlyFault('empty', 'the message holds no line');
  return { readings: [], points, faults };
}

/** The point as a line, without a time when it came without one. */
export function lineOf(point: ParsedPoint): string {
  const line = encodeLine({ ...point, timeNs: point.timeNs ?? 0n });
  return point.timeNs === undefined ? line.slice(0, line.lastIndexOf(' ')) : line;
}
