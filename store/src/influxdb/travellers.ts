import { NS_PER_SECOND, TRAVELLERS } from '@tidemark/core';
import { compareText } from '../order.ts';
import { gridOf, TravellerWindows, type WindowGrid } from '../traveller-windows.ts';
import type {
  StayPlace,
  TravellerStay,
  TravellerStaysQuery,
  TravellersQuery,
  TravellerWindowsQuery,
} from '../travellers.ts';
import { numberOf, tagOf, timeOf } from './cells.ts';
import type { Connection } from './connection.ts';
import { filterConditions, quoteName, quoteText, timeCondition } from './influxql.ts';
import { encodeName } from './names.ts';

/** Fields of a position, in the order of their cells. */
const CELLS = { windows: ['elapsed_ns::float', 'speed::float'], names: 'traveller::string' } as const;
/** Read at once, about: in a second or two. */
const ROWS_OF_STRETCH = 200_000;
const FIRST_STRETCH_NS = 300n * NS_PER_SECOND;

/** The positions of one type at one sensor, in order of time; there may be more of them in another part. */
interface Part {
  sensor: string;
  type: string;
  rows: readonly Row[];
}

/** A position as far as windows and stays are concerned. */
interface Row {
  timeNs: bigint;
  elapsedNs: bigint;
  /** Null for the first of a stay. */
  speed: number | null;
  /** Empty where it was not asked for. */
  traveller: string;
}

/**
 * Windows of travellers, from one look at each position: the server's own sums, by InfluxQL or by Flux, cost it more than
 * to hand the positions over, and neither counts who is there.
 */
export async function queryTravellerWindows(
  connection: Connection,
  query: TravellerWindowsQuery,
): Promise<TravellerWindows> {
  const grid = gridOf(query);
  const windows = new TravellerWindows(grid, query);
  if (query.fromNs >= query.toNs) return windows;
  const isDistinct = query.lengthNs > query.gapNs;
  const addPresence = isDistinct ? distinctPresence(query, grid, windows) : presence(query, grid, windows);
  for await (const part of partsOf(connection, query, isDistinct)) {
    addSpeeds(part, grid, windows);
    addPresence(part);
  }
  for await (const part of partsBehind(connection, query, isDistinct)) addPresence(part);
  return windows;
}

/** Stays in order, from the rows of the range. */
export async function queryTravellerStays(
  connection: Connection,
  query: TravellerStaysQuery,
): Promise<TravellerStay[]> {
  const byTraveller = new Map<string, { sensor: string; type: string; rows: Row[] }>();
  for await (const { sensor, type, rows } of partsOf(connection, query, true))
    for (const row of rows) {
      const key = JSON.stringify([sensor, type, row.traveller]);
      const track = byTraveller.get(key);
      if (track === undefined) byTraveller.set(key, { sensor, type, rows: [row] });
      else track.rows.push(row);
    }
  const { order, after, limit } = query;
  const compare = (one: StayPlace, other: StayPlace) =>
    order === 'asc' ? compareStays(one, other) : compareStays(other, one);
  const stays = [...byTraveller.values()].flatMap(staysOf).sort(compare);
  const behind = after === undefined ? stays : stays.filter((stay) => compare(stay, after) > 0);
  return behind.slice(0, limit);
}

/** One call for the positions of a bucket, which stand together. */
function addSpeeds({ sensor, type, rows }: Part, { bucketNs }: WindowGrid, windows: TravellerWindows): void {
  let bucket = -1n;
  let speeds = { count: 0, sum: 0, min: Number.POSITIVE_INFINITY, max: 0 };
  const flush = () => {
    if (speeds.count > 0) windows.addSpeeds(sensor, type, bucket, speeds);
  };
  for (const { timeNs, speed } of rows) {
    if (speed === null) continue;
    const own = timeNs / bucketNs;
    if (own !== bucket) {
      flush();
      bucket = own;
      speeds = { count: 0, sum: 0, min: Number.POSITIVE_INFINITY, max: 0 };
    }
    speeds.count++;
    speeds.sum += speed;
    speeds.min = Math.min(speeds.min, speed);
    speeds.max = Math.max(speeds.max, speed);
  }
  flush();
}

function presence(query: TravellerWindowsQuery, grid: WindowGrid, windows: TravellerWindows) {
  return ({ sensor, type, rows }: Part): void => {
    for (const row of rows) {
      const present = presenceOf(row, query, grid);
      if (present === undefined) continue;
      const { first, last, bucket } = present;
      if (bucket !== undefined) windows.addStarts(sensor, type, bucket, 1);
      else windows.addPresent(sensor, type, first, last, 1);
    }
  };
}

/** Windows to which one may come twice count each by name. */
function distinctPresence(query: TravellerWindowsQuery, grid: WindowGrid, windows: TravellerWindows) {
  const seen = new Set<string>();
  return ({ sensor, type, rows }: Part): void => {
    for (const row of rows) {
      const present = presenceOf(row, query, grid);
      if (present === undefined) continue;
      for (let win = present.first; win <= present.last; win++) {
        const key = JSON.stringify([sensor, type, row.traveller, String(win)]);
        if (!seen.has(key)) windows.addPresent(sensor, type, win, win, 1);
        seen.add(key);
      }
    }
  };
}

/** The windows in which a row is the first to tell that its traveller is there; of the first of a stay, its bucket too. */
function presenceOf(
  { timeNs, elapsedNs }: Row,
  { fromNs, toNs, everyNs, lengthNs }: TravellerWindowsQuery,
  { bucketNs, firstWindow, lastWindow, windowAtStart }: WindowGrid,
): { first: bigint; last: bigint; bucket: bigint | undefined } | undefined {
  const upTo = timeNs / everyNs;
  if (elapsedNs === 0n) {
    if (timeNs >= toNs) return undefined;
    const since = timeNs < lengthNs ? 0n : (timeNs - lengthNs) / everyNs + 1n;
    return { first: since > firstWindow ? since : firstWindow, last: upTo, bucket: timeNs / bucketNs };
  }
  const beforeNs = timeNs - elapsedNs;
  const first = beforeNs < fromNs ? windowAtStart : beforeNs / everyNs + 1n;
  const last = upTo < lastWindow ? upTo : lastWindow;
  return first <= last ? { first, last, bucket: undefined } : undefined;
}

/** The positions of the range, some time after another, so that no answer takes as long as one may. */
async function* partsOf(
  connection: Connection,
  query: TravellersQuery,
  withNames: boolean,
): AsyncGenerator<Part> {
  let stretchNs = FIRST_STRETCH_NS;
  for (let { fromNs } = query; fromNs < query.toNs; ) {
    const toNs = fromNs + stretchNs < query.toNs ? fromNs + stretchNs : query.toNs;
    let count = 0;
    for await (const part of read(connection, [statementOf({ ...query, fromNs, toNs }, withNames, 0n)])) {
      count += part.rows.length;
      yield part;
    }
    fromNs = toNs;
    if (count < ROWS_OF_STRETCH / 4) stretchNs *= 4n;
    else if (count > ROWS_OF_STRETCH && stretchNs > NS_PER_SECOND) stretchNs /= 4n;
  }
}

/** The positions behind the range whose traveller may have been in it before: the later they are, the longer ago that was. */
async function* partsBehind(
  connection: Connection,
  { gapNs, ...query }: TravellerWindowsQuery,
  withNames: boolean,
): AsyncGenerator<Part> {
  const statements: string[] = [];
  for (let [awayNs, endNs] = [0n, NS_PER_SECOND]; awayNs < gapNs; [awayNs, endNs] = [endNs, 4n * endNs]) {
    const range = { fromNs: query.toNs + awayNs, toNs: query.toNs + (endNs < gapNs ? endNs : gapNs) };
    statements.push(statementOf({ ...query, ...range }, withNames, awayNs));
  }
  yield* read(connection, statements);
}

/** Of positions as long after the one before, or longer. */
function statementOf(query: TravellersQuery, withNames: boolean, leastElapsedNs: bigint): string {
  const cells = withNames ? [...CELLS.windows, CELLS.names] : CELLS.windows;
  const later = leastElapsedNs === 0n ? [] : [`elapsed_ns::float >= ${leastElapsedNs}`];
  const where = [timeCondition(query), ...conditionsOf(query), ...later].join(' AND ');
  return `SELECT ${cells.join(', ')} FROM ${quoteName(TRAVELLERS)} WHERE ${where} GROUP BY sensor, type`;
}

async function* read(connection: Connection, statements: readonly string[]): AsyncGenerator<Part> {
  for await (const parts of connection.read(statements))
    for (const { series } of parts) {
      const { sensor, type } = series.tags;
      yield { sensor: tagOf(sensor) ?? '', type: tagOf(type) ?? '', rows: series.values.flatMap(rowOf) };
    }
}

/** None where a point is no position. */
function rowOf([time, elapsed, speed, traveller]: readonly unknown[]): Row[] {
  const elapsedNs = numberOf(elapsed);
  if (elapsedNs === null) return [];
  return [
    {
      timeNs: timeOf(time),
      elapsedNs: BigInt(Math.trunc(elapsedNs)),
      speed: numberOf(speed),
      traveller: typeof traveller === 'string' ? traveller : '',
    },
  ];
}

/** Of the rows of one traveller. */
function staysOf({ sensor, type, rows }: { sensor: string; type: string; rows: Row[] }): TravellerStay[] {
  rows.sort((one, other) => (one.timeNs < other.timeNs ? -1 : 1));
  const stays: Row[][] = [];
  for (const row of rows) {
    if (stays.length === 0 || row.elapsedNs === 0n) stays.push([]);
    stays.at(-1)!.push(row);
  }
  return stays.map((stay) => stayOf(sensor, type, stay));
}

function stayOf(sensor: string, type: string, rows: readonly Row[]): TravellerStay {
  const { traveller, timeNs } = rows[0]!;
  const speeds = rows.flatMap(({ speed }) => (speed === null ? [] : [speed]));
  const mean = speeds.reduce((sum, speed) => sum + speed, 0) / speeds.length;
  const some = <T>(value: T): T | null => (speeds.length === 0 ? null : value);
  return {
    traveller,
    type,
    sensor,
    entryNs: timeNs,
    exitNs: rows.at(-1)!.timeNs,
    positions: rows.length,
    minSpeed: some(speeds.reduce((least, speed) => Math.min(least, speed), Number.POSITIVE_INFINITY)),
    meanSpeed: some(Math.min(mean, Number.MAX_VALUE)),
    maxSpeed: some(speeds.reduce((most, speed) => Math.max(most, speed), 0)),
  };
}

function compareStays(one: StayPlace, other: StayPlace): number {
  if (one.entryNs !== other.entryNs) return one.entryNs < other.entryNs ? -1 : 1;
  return (
    compareText(one.sensor, other.sensor) ||
    compareText(one.type, other.type) ||
    compareText(one.traveller, other.traveller)
  );
}

function conditionsOf({ sensors, types = [] }: TravellersQuery): string[] {
  const ofType = types.map((type) => `${quoteName('type')}::tag = ${quoteText(encodeName(type))}`);
  return [...filterConditions({ sensors }), ...(ofType.length === 0 ? [] : [`(${ofType.join(' OR ')})`])];
}
