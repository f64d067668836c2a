import { type Field, type Point, TRAVELLERS } from '@tidemark/core';
import type {
  TravellerStay,
  TravellersQuery,
  TravellerWindow,
  TravellerWindowsQuery,
} from '../src/travellers.ts';

/** A position as a camera sends it. */
export interface SentPosition {
  sensor: string;
  type: string;
  traveller: string;
  timeNs: bigint;
  x: number;
  y: number;
}

/** A position among those of its traveller, sorted. */
export interface SortedPosition extends SentPosition {
  /** 0 for the first of a stay. */
  elapsedNs: bigint;
  /** NaN for the first of a stay. */
  speed: number;
}

/**
 * The positions of each traveller at each sensor in order of time, with their speeds; of two of one time the one that
 * was sent last stands.
 */
export function sortedTracks(sent: Iterable<SentPosition>, gapNs: bigint): SortedPosition[][] {
  const tracks = new Map<string, Map<bigint, SentPosition>>();
  for (const one of sent) {
    const key = JSON.stringify([one.sensor, one.type, one.traveller]);
    let track = tracks.get(key);
    if (track === undefined) {
      track = new Map();
      tracks.set(key, track);
    }
    track.set(one.timeNs, one);
  }
  return [...tracks.values()].map((track) => {
    const sorted = [...track.values()].sort((one, other) => (one.timeNs < other.timeNs ? -1 : 1));
    return sorted.map((one, index) => withSpeed(one, sorted[index - 1], gapNs));
  });
}

function withSpeed(one: SentPosition, before: SentPosition | undefined, gapNs: bigint): SortedPosition {
  const elapsedNs = before === undefined ? 0n : one.timeNs - before.timeNs;
  if (before === undefined || elapsedNs > gapNs) return { ...one, elapsedNs: 0n, speed: Number.NaN };
  const metres = Math.hypot(one.x - before.x, one.y - before.y);
  return { ...one, elapsedNs, speed: Math.min(metres / (Number(elapsedNs) / 1e9), Number.MAX_VALUE) };
}

/**
 * The windows of those sensors and types that have any in the range or are both asked for, each from all the positions:
 * a traveller is there from its first to its last position of a stay.
 */
export function bruteForceWindows(
  tracks: readonly SortedPosition[][],
  query: TravellerWindowsQuery,
): TravellerWindow[] {
  const { sensors = [], types = [] } = query;
  const groups = new Map<string, SortedPosition[][]>();
  for (const sensor of sensors) for (const type of types) groups.set(JSON.stringify([sensor, type]), []);
  for (const track of tracks)
    for (const stay of stays(track.filter((one) => isWanted(one, query)))) {
      if (!windowsOf(query).some((window) => isThere(stay, window))) continue;
      const key = JSON.stringify([stay[0]!.sensor, stay[0]!.type]);
      groups.set(key, [...(groups.get(key) ?? []), stay]);
    }
  return [...groups]
    .map(([key, all]) => ({ group: JSON.parse(key) as [string, string], all }))
    .sort((one, other) => compare(one.group[0], other.group[0]) || compare(one.group[1], other.group[1]))
    .flatMap(({ group: [sensor, type], all }) =>
      windowsOf(query).map((window) => {
        const here = all.filter((stay) => isThere(stay, window));
        const speeds = here
          .flat()
          .filter(({ timeNs }) => timeNs >= window.startNs && timeNs < window.endNs)
          .map(({ speed }) => speed)
          .filter((speed) => !Number.isNaN(speed));
        const count = new Set(here.map((stay) => stay[0]!.traveller)).size;
        return { timeNs: window.timeNs, sensor, type, count, ...spreadOf(speeds) };
      }),
    );
}

interface Span {
  timeNs: bigint;
  /** The part of the window that is in the range. */
  startNs: bigint;
  endNs: bigint;
}

function windowsOf({ fromNs, toNs, everyNs, lengthNs }: TravellerWindowsQuery): Span[] {
  const spans: Span[] = [];
  for (let timeNs = (fromNs / everyNs) * everyNs; timeNs < toNs; timeNs += everyNs) {
    const startNs = timeNs > fromNs ? timeNs : fromNs;
    const endNs = timeNs + lengthNs < toNs ? timeNs + lengthNs : toNs;
    spans.push({ timeNs, startNs, endNs });
  }
  return spans;
}

function isThere(stay: readonly SortedPosition[], { startNs, endNs }: Span): boolean {
  return startNs < endNs && stay[0]!.timeNs < endNs && stay.at(-1)!.timeNs >= startNs;
}

/** Stays of the positions in the range, in order. */
export function bruteForceStays(
  tracks: readonly SortedPosition[][],
  query: TravellersQuery,
): TravellerStay[] {
  return tracks
    .flatMap((track) =>
      stays(
        track.filter((one) => isWanted(one, query) && one.timeNs >= query.fromNs && one.timeNs < query.toNs),
      ),
    )
    .map((stay) => {
      const { traveller, type, sensor, timeNs: entryNs } = stay[0]!;
      const speeds = stay.map(({ speed }) => speed).filter((speed) => !Number.isNaN(speed));
      const exitNs = stay.at(-1)!.timeNs;
      return { traveller, type, sensor, entryNs, exitNs, positions: stay.length, ...spreadOf(speeds) };
    })
    .sort(
      (one, other) =>
        Number(one.entryNs - other.entryNs) ||
        compare(one.sensor, other.sensor) ||
        compare(one.type, other.type) ||
        compare(one.traveller, other.traveller),
    );
}

function stays(track: readonly SortedPosition[]): SortedPosition[][] {
  const all: SortedPosition[][] = [];
  for (const one of track) {
    if (all.length === 0 || one.elapsedNs === 0n) all.push([]);
    all.at(-1)!.push(one);
  }
  return all;
}

function spreadOf(speeds: readonly number[]): Pick<TravellerWindow, 'minSpeed' | 'meanSpeed' | 'maxSpeed'> {
  if (speeds.length === 0) return { minSpeed: null, meanSpeed: null, maxSpeed: null };
  const mean = speeds.reduce((sum, speed) => sum + speed, 0) / speeds.length;
  return {
    minSpeed: Math.min(...speeds),
    meanSpeed: Math.min(mean, Number.MAX_VALUE),
    maxSpeed: Math.max(...speeds),
  };
}

/** Means of the same values that were added up in another order are told apart by their last digits alone. */
export function rounded<Item extends { meanSpeed: number | null }>(items: Iterable<Item>): Item[] {
  return Array.from(items, (item) => ({
    ...item,
    meanSpeed: item.meanSpeed === null ? null : Number(item.meanSpeed.toPrecision(9)),
  }));
}

function isWanted({ sensor, type }: SentPosition, { sensors, types }: TravellersQuery): boolean {
  return has(sensors, sensor) && has(types, type);
}

function has(list: readonly string[] | undefined, value: string): boolean {
  return list === undefined || list.length === 0 || list.includes(value);
}

function compare(one: string, other: string): number {
  return one < other ? -1 : Number(one > other);
}

/** The points that the tracks are stored as. */
export function travellerPoints(tracks: readonly SortedPosition[][]): Point[] {
  const taken = new Map<string, number>();
  return tracks.flat().map(({ sensor, type, traveller, timeNs, x, y, elapsedNs, speed }) => {
    const instant = JSON.stringify([sensor, type, String(timeNs)]);
    const slot = taken.get(instant) ?? 0;
    taken.set(instant, slot + 1);
    const fields: Field[] = [
      ['traveller', traveller],
      ['x', x],
      ['y', y],
      ['elapsed_ns', Number(elapsedNs)],
    ];
    if (elapsedNs > 0n) fields.push(['speed', speed]);
    const tags = [
      ['sensor', sensor],
      ['slot', String(slot)],
      ['type', type],
    ] as const;
    return { measurement: TRAVELLERS, tags, fields, timeNs };
  });
}
