import { isUtf8 } from 'node:buffer';
import type { Mapping, Placeholders } from '@tidemark/core';
import {
  type Decoded,
  type DraftReading,
  decodedReadings,
  keptWhole,
  type Limits,
  onlyFault,
} from '../decoders/decoded.ts';
import { addValue, nameProblem, type Problem } from '../decoders/fields.ts';
import { decodeLines } from '../decoders/lines.ts';
import { positionsOf } from '../decoders/travellers.ts';
import { readParts, unquoted } from './read-parts.ts';
import { ReadingMapper } from './reading-mapper.ts';
import { Selection } from './selection.ts';
import { compileTemplate } from './template.ts';

/** Reads a message as one mapping says; what is wrong with it are faults. */
export type DecodeMapped = (payload: Buffer, placeholders: Placeholders) => Decoded;

/** A mapping without an expression, made ready once. */
export function compileMapping(mapping: Mapping, limits: Limits): DecodeMapped {
  const decode = decoderOf(mapping, limits);
  return (payload, placeholders) => named(decode(payload, placeholders), mapping);
}

/** Each fault says which mapping found it. */
export function named(decoded: Decoded, { id }: Mapping): Decoded {
  if (decoded.faults.length === 0) return decoded;
  return {
    ...decoded,
    faults: decoded.faults.map((fault) => ({ ...fault, detail: `mapping ${id}: ${fault.detail}` })),
  };
}

/** What was read, as what the mapping says that it is. */
export function takenAs({ as }: Mapping, decoded: Decoded): Decoded {
  return as === 'travellers' ? positionsOf(decoded) : decoded;
}

function decoderOf(mapping: Mapping, limits: Limits): DecodeMapped {
  switch (mapping.format) {
    case 'lines':
      return linesDecoder(mapping, limits);
    case 'value':
      return valueDecoder(mapping);
    default:
      return partsDecoder(mapping, limits);
  }
}

function linesDecoder({ precision }: Mapping, limits: Limits): DecodeMapped {
  const { maxReadingsPerMessage: maxLines, maxFieldsPerReading: maxFields } = limits;
  return (payload) => {
    const decoded = decodeLines(payload, { maxLines, maxFields, ...(precision && { unit: precision }) });
    const isEmpty = decoded.lines.length === 0 && decoded.faults.length === 0;
    return isEmpty ? onlyFault('empty', 'the message holds no line') : decoded;
  };
}

/** A message that is one value and nothing else. */
function valueDecoder(mapping: Mapping): DecodeMapped {
  const { sensor = '{sensor}', location, metric = '{metric}', topic } = mapping;
  const sensorOf = compileTemplate(sensor);
  const place = location ?? (topic.includes('{location}') ? '{location}' : undefined);
  const locationOf = place === undefined ? undefined : compileTemplate(place);
  const metricOf = compileTemplate(metric);
  const selection = new Selection(mapping, []);
  return (payload, placeholders) => {
    if (!isUtf8(payload)) return onlyFault('invalid_utf8', 'the payload is no UTF-8');
    const text = payload.toString('utf8').trim();
    const root = undefined;
    const reading: DraftReading = {
      index: 0,
      sensor: sensorOf(placeholders, root) ?? '',
      location: locationOf?.(placeholders, root),
      timeNs: undefined,
      values: [],
      raw: undefined,
    };
    const problem = nameProblem(reading.sensor);
    if (problem !== undefined) return onlyFault('bad_sensor', `sensor ${problem}`);
    if (text === '') return onlyFault('empty', 'the payload is empty', reading.sensor);
    const chosen = selection.as(metricOf(placeholders, root) ?? '');
    const found = selection.valueOf(chosen, unquoted(text));
    const problems: Problem[] = [];
    if ('reason' in found) problems.push(found);
    else addValue(reading, chosen.metric, found.value, problems);
    const faults = problems.map((fault) => ({ index: 0, sensor: reading.sensor, ...fault }));
    return decodedReadings(faults.length === 0 ? [reading] : [], faults);
  };
}

function partsDecoder(mapping: Mapping, limits: Limits): DecodeMapped {
  const mapper = new ReadingMapper(mapping, limits);
  return (payload, placeholders) => {
    const read = readParts(payload, mapping, limits);
    if ('reason' in read) return onlyFault(read.reason, read.detail, read.sensor);
    const faults = [...read.faults];
    const readings = read.parts
      .map((part) => mapper.map(part, placeholders, faults))
      .filter((reading) => reading !== undefined);
    const decoded = takenAs(mapping, decodedReadings(readings, faults));
    return read.isWhole ? keptWhole(decoded) : decoded;
  };
}
