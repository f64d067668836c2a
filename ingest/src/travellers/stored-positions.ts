import { type Point, TRAVELLERS, tagOf } from '@tidemark/core';
import type { Engine } from '@tidemark/store';
import type { StoredPosition } from './sensor-memory.ts';

/** A store may answer a position in parts. */
type Part = Partial<StoredPosition> & Pick<StoredPosition, 'timeNs' | 'slot' | 'type'>;

/** Beyond so many slices of a range, the rest is read at once. */
const MAX_SLICES = 3;

/** What the store holds of travellers at the sensors, by sensor, slice of time by slice of time. */
export async function* storedPositions(
  engine: Pick<Engine, 'points'>,
  {
    sensors,
    fromNs,
    toNs,
    sliceNs,
  }: { sensors: readonly string[]; fromNs: bigint; toNs: bigint; sliceNs: bigint },
): AsyncGenerator<readonly [sensor: string, position: StoredPosition]> {
  for (let startNs = fromNs, slices = 1; startNs < toNs; slices++) {
    const endNs = slices < MAX_SLICES && startNs + sliceNs < toNs ? startNs + sliceNs : toNs;
    yield* await sliceOf(engine, sensors, startNs, endNs);
    startNs = endNs;
  }
}

async function sliceOf(
  engine: Pick<Engine, 'points'>,
  sensors: readonly string[],
  fromNs: bigint,
  toNs: bigint,
): Promise<(readonly [string, StoredPosition])[]> {
  const bySensor = new Map<string, Map<string, Part>>();
  const pages = engine.points({ measurements: [TRAVELLERS], sensors, fromNs, toNs });
  for await (const page of pages) for (const point of page) addPart(bySensor, point);
  return [...bySensor].flatMap(([sensor, parts]) =>
    [...parts.values()].filter(isWhole).map((position) => [sensor, position] as const),
  );
}

function addPart(bySensor: Map<string, Map<string, Part>>, { tags, fields, timeNs }: Point): void {
  const sensor = tagOf(tags, 'sensor') ?? '';
  const type = tagOf(tags, 'type') ?? '';
  const slot = Number(tagOf(tags, 'slot') ?? Number.NaN);
  let parts = bySensor.get(sensor);
  if (parts === undefined) {
    parts = new Map();
    bySensor.set(sensor, parts);
  }
  const key = `${timeNs} ${slot} ${type}`;
  let part = parts.get(key);
  if (part === undefined) {
    part = { timeNs, slot, type, elapsedNs: Number.NaN, speed: Number.NaN };
    parts.set(key, part);
  }
  for (const [field, value] of fields) {
    if (field === 'traveller') part.traveller = String(value);
    else if (field === 'x') part.x = Number(value);
    else if (field === 'y') part.y = Number(value);
    else if (field === 'speed') part.speed = Number(value);
    else if (field === 'elapsed_ns') part.elapsedNs = Number(value);
  }
}

function isWhole(part: Part): part is StoredPosition {
  const { traveller, x, y, slot } = part;
  return traveller !== undefined && x !== undefined && y !== undefined && slot >= 0;
}
