import { type Point, TRAVELLERS, tagOf } from '@tidemark/core';
import { MAX_WINDOWS } from '../engine.ts';
import { compareText } from '../order.ts';
import { gridOf, TravellerWindows, type WindowGrid } from '../traveller-windows.ts';
import type {
  StayPlace,
  TravellerStay,
  TravellerStaysQuery,
  TravellersQuery,
  TravellerWindowsQuery,
} from '../travellers.ts';
import { numberOf, tagOf as tagOfCell, timeOf } from './cells.ts';
import type { Connection } from './connection.ts';
import { filterConditions, quoteName, quoteText, timeCondition } from './influxql.ts';
import { encodeName } from './names.ts';
import { queryPoints } from './points.ts';

/** A position as far as windows and stays are concerned. */
interface Row {
  sensor: string;
  type: string;
  traveller: string;
  timeNs: bigint;
  elapsedNs: bigint;
  speed: number | undefined;
}

/**
 * Windows of travellers. Speeds are summed up by the server; who is there is read row by row, since InfluxQL computes
 * nothing from times.
 */
export async function queryTravellerWindows(
  connection: Connection,
  query: TravellerWindowsQuery,
): Promise<TravellerWindows> {
  const grid = gridOf(query);
  const windows = new TravellerWindows(grid, query);
  if (query.fromNs >= query.toNs) return windows;
  await addSpeeds(connection, query, grid, windows);
  const isDistinct = query.lengthNs > query.gapNs;
  const seen = new Set<string>();
  const range = { ...query, toNs: query.toNs + query.gapNs };
  for await (const row of rowsOf(
    connection,
    range,
    isDistinct ? ['elapsed_ns', 'traveller'] : ['elapsed_ns'],
  )) {
    const present = presenceOf(row, query, grid);
    if (present === undefined) continue;
    const { sensor, type, traveller } = row;
    const { first, last, bucket } = present;
    if (isDistinct) {
      for (let win = first; win <= last; win++) {
        const key = JSON.stringify([sensor, type, traveller, String(win)]);
        if (!seen.has(key)) windows.addPresent(sensor, type, win, win, 1);
        seen.add(key);
      }
    } else if (bucket !== undefined) windows.addStarts(sensor, type, bucket, 1);
    else windows.addPresent(sensor, type, first, last, 1);
  }
  return windows;
}

/** Stays in order, from the rows of the range. */
export async function queryTravellerStays(
  connection: Connection,
  query: TravellerStaysQuery,
): Promise<TravellerStay[]> {
  const byTraveller = new Map<string, Row[]>();
  for await (const row of rowsOf(connection, query, ['elapsed_ns', 'traveller', 'speed'])) {
    const key = JSON.stringify([row.sensor, row.type, row.traveller]);
    const rows = byTraveller.get(key);
    if (rows === undefined) byTraveller.set(key, [row]);
    else rows.push(row);
  }
  const { order, after, limit } = query;
  const compare = (one: StayPlace, other: StayPlace) =>
    order === 'asc' ? compareStays(one, other) : compareStays(other, one);
  const stays = [...byTraveller.values()].flatMap(staysOf).sort(compare);
  const behind = after === undefined ? stays : stays.filter((stay) => compare(stay, after) > 0);
  return behind.slice(0, limit);
}

async function addSpeeds(
  connection: Connection,
  query: TravellerWindowsQuery,
  { bucketNs }: WindowGrid,
  windows: TravellerWindows,
): Promise<void> {
  const calls = ['count', 'sum', 'min', 'max'].map((fn) => `${fn}(speed::float)`).join(', ');
  const where = [timeCondition(query), ...conditionsOf(query)].join(' AND ');
  const statement = `SELECT ${calls} FROM ${quoteName(TRAVELLERS)} WHERE ${where}
    GROUP BY time(${bucketNs}ns), sensor, type fill(none)`;
  const [series = []] = await connection.query([statement], MAX_WINDOWS);
  for (const { tags, values } of series) {
    const sensor = tagOfCell(tags.sensor) ?? '';
    const type = tagOfCell(tags.type) ?? '';
    for (const [time, ...cells] of values) {
      const [count = 0, sum = 0, min = 0, max = 0] = cells.map((cell) => numberOf(cell) ?? 0);
      windows.addSpeeds(sensor, type, timeOf(time) / bucketNs, { count, sum, min, max });
    }
  }
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

async function* rowsOf(
  connection: Connection,
  { sensors, types, fromNs, toNs }: TravellersQuery,
  metrics: readonly string[],
): AsyncGenerator<Row> {
  const query = { measurements: [TRAVELLERS], sensors, metrics, fromNs, toNs };
  for await (const page of queryPoints(connection, query))
    for (const point of page) {
      const row = rowOf(point);
      if (row === undefined || (types !== undefined && types.length > 0 && !types.includes(row.type)))
        continue;
      yield row;
    }
}

function rowOf({ tags, fields, timeNs }: Point): Row | undefined {
  const values = new Map(fields);
  const elapsedNs = values.get('elapsed_ns');
  if (typeof elapsedNs !== 'number') return undefined;
  const speed = values.get('speed');
  return {
    sensor: tagOf(tags, 'sensor') ?? '',
    type: tagOf(tags, 'type') ?? '',
    traveller: String(values.get('traveller') ?? ''),
    timeNs,
    elapsedNs: BigInt(elapsedNs),
    speed: typeof speed === 'number' ? speed : undefined,
  };
}

/** Of the rows of one traveller. */
function staysOf(rows: Row[]): TravellerStay[] {
  rows.sort((one, other) => (one.timeNs < other.timeNs ? -1 : 1));
  const stays: Row[][] = [];
  for (const row of rows) {
    if (stays.length === 0 || row.elapsedNs === 0n) stays.push([]);
    stays.at(-1)!.push(row);
  }
  return stays.map(stayOf);
}

function stayOf(rows: readonly Row[]): TravellerStay {
  const { traveller, type, sensor, timeNs } = rows[0]!;
  const speeds = rows.flatMap(({ speed }) => (speed === undefined ? [] : [speed]));
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
