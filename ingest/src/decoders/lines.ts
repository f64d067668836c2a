import { isOwnMeasurement, type ParsedPoint, parseLines, type TimeUnitName, timeUnits } from '@tidemark/core';
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
    const problem = pointProblem(item.point, maxFields);
    if (problem !== undefined) refuse(problem.reason, problem.detail);
    else lines.push({ index: line - 1, start, end, point: item.point });
  }
  return { readings: [], lines, faults };
}

/** Why nobody's point may be as it is; undefined when it may. */
export function pointProblem(
  { measurement, fields }: ParsedPoint,
  maxFields: number,
): Pick<Fault, 'reason' | 'detail'> | undefined {
  if (fields.length > maxFields)
    return { reason: 'too_many_fields', detail: `${fields.length} fields; the limit is ${maxFields}` };
  if (!isOwnMeasurement(measurement)) return undefined;
  const detail = `only Tidemark itself writes the measurement ${measurement}`;
  return { reason: 'reserved_measurement', detail };
}

/** What a person needs of a line to find it. */
function shown(payload: Uint8Array, start: number, end: number): string {
  const text = Buffer.from(payload.subarray(start, Math.min(end, start + 256))).toString();
  return end - start <= 256 ? text : `${text}…`;
}
