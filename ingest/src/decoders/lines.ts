import { isOwnMeasurement, parseLines, type TimeUnitName, timeUnits } from '@tidemark/core';
import type { Decoded, DraftLine, Fault } from './decoded.ts';

interface LineOptions {
  /** Lines beyond it refuse the whole message. */
  maxLines?: number;
  maxFields: number;
  unit?: TimeUnitName;
  firstLine?: number | undefined;
}

/** Line protocol, one or many lines: `lines/<anything>`, and InfluxDB's write routes. */
export function decodeLines(
  payload: Uint8Array,
  { maxLines, maxFields, unit = 'ns', firstLine }: LineOptions,
): Decoded {
  const parsed = parseLines(payload, { unit: timeUnits[unit], firstLine });
  if (maxLines !== undefined && parsed.length > maxLines) {
    const detail = `more than ${maxLines} lines in a message`;
    return { readings: [], lines: [], faults: [{ index: 0, reason: 'too_many_readings', detail }] };
  }
  const lines: DraftLine[] = [];
  const faults: Fault[] = [];
  for (const item of parsed) {
    const { line, start, end } = item;
    const refuse = (reason: Fault['reason'], detail: string): void => {
      const raw = payload.subarray(start, end);
      faults.push({ index: line - 1, reason, detail: `line ${line}: ${detail}`, raw });
    };
    if ('problem' in item) {
      if (item.problem === undefined) refuse('invalid_utf8', 'it is no UTF-8');
      else refuse('bad_line', `unable to parse '${shown(payload, start, end)}': ${item.problem}`);
      continue;
    }
    const { measurement, fields } = item.point;
    if (fields.length > maxFields)
      refuse('too_many_fields', `${fields.length} fields; the limit is ${maxFields}`);
    else if (isOwnMeasurement(measurement))
      refuse('reserved_measurement', `only Tidemark itself writes the measurement ${measurement}`);
    else lines.push({ index: line - 1, start, end, point: item.point });
  }
  return { readings: [], lines, faults };
}

/** What a person needs of a line to find it. */
function shown(payload: Uint8Array, start: number, end: number): string {
  const text = Buffer.from(payload.subarray(start, Math.min(end, start + 256))).toString();
  return end - start <= 256 ? text : `${text}…`;
}
