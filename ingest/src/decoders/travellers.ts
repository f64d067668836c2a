import { idProblem, type Point, type Tag, TRAVELLERS, tagOf } from '@tidemark/core';
import type { Decoded, DraftPosition, Fault, Limits } from './decoded.ts';
import { preview, readValue, sensorProblem, setTime } from './fields.ts';
import { isObject, lengthFault, notAnObject, parsePayload } from './json.ts';

type Problem = Pick<Fault, 'reason' | 'detail'>;
/** What a position says, wherever it came from. */
type Position = Pick<DraftPosition, 'sensor' | 'traveller' | 'type' | 'x' | 'y'>;

const timeKeys = ['time', 'timestamp', 'ts'] as const;

/** `travellers/<sensor>`: `{"traveller", "type", "x", "y", "time"}`, or an array of such objects. */
export function decodeTravellersMessage(sensor: string, payload: Buffer, limits: Limits): Decoded {
  const parsed = parsePayload(payload, sensor);
  if ('faults' in parsed) return parsed;
  const { value } = parsed;
  const isMany = Array.isArray(value);
  const refusal = isMany ? lengthFault(value, sensor, limits) : undefined;
  if (refusal !== undefined) return refusal;
  const positions: DraftPosition[] = [];
  const faults: Fault[] = [];
  (isMany ? value : [value]).forEach((item: unknown, index) => {
    const raw = isMany ? item : undefined;
    const read = readPosition(sensor, item, index, raw);
    if ('reason' in read) faults.push({ index, sensor, raw, ...read });
    else positions.push(read);
  });
  return { readings: [], lines: [], positions, faults };
}

/** Positions of what a mapping made of a message, with the metrics `traveller`, `type`, `x` and `y`. */
export function positionsOf(decoded: Decoded): Decoded {
  const positions: DraftPosition[] = [];
  const faults = [...decoded.faults];
  for (const { sensor, index, raw, timeNs, values } of decoded.readings) {
    const read = readPosition(sensor, Object.fromEntries(values), index, raw);
    if ('reason' in read) faults.push({ index, sensor, raw, ...read });
    else positions.push({ ...read, timeNs });
  }
  return { ...decoded, readings: [], positions, faults };
}

/** The position that a point of the measurement holds, or why it holds none; what was derived from it is left out. */
export function positionOf({ tags, fields }: Point): Position | string {
  const fieldOf = (name: string) => fields.find(([field]) => field === name)?.[1];
  const sensor = tagOf(tags, 'sensor') ?? '';
  const type = tagOf(tags, 'type');
  const [traveller, x, y] = ['traveller', 'x', 'y'].map(fieldOf);
  if (idProblem(sensor) !== undefined) return 'a position of a traveller needs the tag sensor, a valid id';
  if (type === undefined || idProblem(type) !== undefined)
    return 'a position of a traveller needs the tag type, a valid id';
  if (typeof traveller !== 'string' || idProblem(traveller) !== undefined)
    return 'a position of a traveller needs the field traveller, a text that is a valid id';
  if (typeof x !== 'number' || typeof y !== 'number')
    return 'a position of a traveller needs the fields x and y, both floats';
  return { sensor, traveller, type, x, y };
}

/** A position as it stands in the log. */
export function positionPoint(
  { traveller, x, y }: Pick<Position, 'traveller' | 'x' | 'y'>,
  tags: readonly Tag[],
  timeNs: bigint,
): Point {
  const fields = [
    ['traveller', traveller],
    ['x', x],
    ['y', y],
  ] as const;
  return { measurement: TRAVELLERS, tags, fields, timeNs };
}

function readPosition(sensor: string, item: unknown, index: number, raw: unknown): DraftPosition | Problem {
  const wrongSensor = sensorProblem(sensor);
  if (wrongSensor) return wrongSensor;
  if (!isObject(item)) return { reason: 'wrong_type', detail: notAnObject(item) };
  const object = item as Record<string, unknown>;
  if (object.sensor !== undefined && object.sensor !== sensor)
    return { reason: 'bad_sensor', detail: `the message names sensor ${preview(object.sensor)}` };
  const traveller = idOf('traveller', object.traveller);
  if (typeof traveller !== 'string') return traveller;
  const type = idOf('type', object.type);
  if (typeof type !== 'string') return type;
  const x = coordinateOf('x', object.x);
  if (typeof x !== 'number') return x;
  const y = coordinateOf('y', object.y);
  if (typeof y !== 'number') return y;
  const draft: DraftPosition = { index, sensor, traveller, type, x, y, timeNs: undefined, raw };
  for (const key of timeKeys) {
    const problem = key in object ? setTime(draft, key, object[key]) : undefined;
    if (problem) return problem;
  }
  return draft;
}

/** Trackers number what they follow: an integer is as good an id as a text. */
function idOf(name: 'traveller' | 'type', value: unknown): string | Problem {
  const isNumber = name === 'traveller' && (Number.isSafeInteger(value) || typeof value === 'bigint');
  const id = isNumber ? String(value) : value;
  if (typeof id !== 'string')
    return {
      reason: 'bad_traveller',
      detail: value === undefined ? `${name} is missing` : `${name} is no id: ${preview(value)}`,
    };
  const problem = idProblem(id);
  return problem === undefined ? id : { reason: 'bad_traveller', detail: `${name} ${problem}` };
}

function coordinateOf(name: 'x' | 'y', value: unknown): number | Problem {
  if (typeof value === 'boolean' || typeof value === 'string')
    return { reason: 'wrong_type', detail: `${name} is ${preview(value)}, not a number` };
  return readValue(name, value) as number | Problem;
}
