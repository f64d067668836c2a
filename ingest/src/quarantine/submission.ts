import {
  type ImportedRow,
  type Point,
  parseJson,
  parseLines,
  type QuarantineItem,
  type Submission,
  TidemarkError,
  type TimeUnitName,
  type TopicClaims,
  timeUnits,
} from '@tidemark/core';

/**
 * An item as it was submitted, to be accepted again with the time it was given; undefined when its topic claims to
 * hold no readings any more. `payload` takes the place of the item's own; throws `bad_request` where it is no line and
 * has to be one.
 */
export function submissionOf(
  { source, topic, timeNs: firstGivenNs, ...item }: QuarantineItem,
  claims: TopicClaims,
  payload: Uint8Array = item.payload,
): Submission | undefined {
  switch (source) {
    case 'http':
    case 'grpc':
      return { source, topic, items: [itemOf(payload)], firstGivenNs };
    case 'store':
      return { source, topic, points: pointsOf(payload, firstGivenNs), firstGivenNs };
    case 'import':
      return { source, topic, rows: rowsOf(payload), firstGivenNs };
    case 'kafka':
      return { source, topic, payload, firstGivenNs };
    case 'tcp':
      return { source, topic, payload, line: 1, firstGivenNs };
    case 'line_protocol':
      return { source, topic, payload, unit: unitOf(topic), firstGivenNs };
    default: {
      const { kind } = claims.of(topic);
      if (kind === 'own' || kind === 'other') return undefined;
      return { source: 'mqtt', topic, payload, firstGivenNs };
    }
  }
}

/** The unit of the timestamps stands in the topic, unless it is nanoseconds. */
function unitOf(topic: string): TimeUnitName {
  const unit = new URLSearchParams(topic.split('?')[1]).get('precision') ?? 'ns';
  return unit in timeUnits ? (unit as TimeUnitName) : 'ns';
}

/** What is no JSON was refused as the text it is, and is given as that again. */
function itemOf(payload: Uint8Array): unknown {
  const text = Buffer.from(payload).toString('utf8');
  try {
    return parseJson(text);
  } catch {
    return text;
  }
}

/** Points that the store refused are kept as lines in the exact form; throws `bad_request` where there are none. */
function pointsOf(payload: Uint8Array, firstGivenNs: bigint): Point[] {
  const lines = [...parseLines(Buffer.from(payload).toString('utf8'), { escapes: 'all' })];
  if (lines.length === 0) throw new TidemarkError('bad_request', 'the payload holds no line');
  return lines.map((line) => {
    if ('problem' in line) throw new TidemarkError('bad_request', `line ${line.line}: ${line.problem}`);
    return { ...line.point, timeNs: line.point.timeNs ?? firstGivenNs };
  });
}

/** Imported rows are kept as lines in the exact form, those that could not be read as they came. */
function rowsOf(payload: Uint8Array): ImportedRow[] {
  return parseLines(payload, { escapes: 'all' }).map((line) => {
    const index = line.line - 1;
    if ('point' in line) return { index, point: line.point };
    const detail = `row ${line.line}: replace it by line protocol (${line.problem ?? 'it is no UTF-8'})`;
    return { index, reason: 'bad_line', detail, raw: payload };
  });
}
