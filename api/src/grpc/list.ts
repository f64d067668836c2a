import type { Reading } from '@tidemark/core';
import type { ReadingsQuery } from '@tidemark/store';
import { decodeCursor, encodeCursor } from '../cursor.ts';
import type { ApiParts } from '../parts.ts';
import { invalidFields } from '../problem.ts';
import { MAX_TIME_NS, MIN_TIME_NS } from '../query.ts';
import { ReadingLookup } from '../reading-lookup.ts';
import type { Reading as ReadingMessage } from './generated/tidemark/v1/reading.ts';
import {
  ListRequest,
  ListResponse,
  type ListStreamRequest,
  type ListStreamResponse,
} from './generated/tidemark/v1/reading_service.ts';
import { readReadingId, toReadingFilter, toReadingMessage, toTimeRange } from './reading-message.ts';
import { SharedReads } from './shared-reads.ts';

const maxPageReadings = 10_000;
const defaultPageReadings = 1000;
/** Clients take messages of 4 MiB unless told otherwise; sizes here are estimates. */
const maxPageBytes = 2 * 1024 * 1024;
const flushTimeoutMs = 250;

/** What a request asks for; `left` is how many readings at most, from here on. */
interface Asked extends Omit<ReadingsQuery, 'limit'> {
  left: number;
  pageReadings: number;
}

/** Lists of readings. Equal ones that are asked for at once are read and encoded once, and single readings together. */
export class Lists {
  readonly #parts: ApiParts;
  readonly #lookup: ReadingLookup;
  readonly #reads = new SharedReads<ListResponse>();

  constructor(parts: ApiParts) {
    this.#parts = parts;
    this.#lookup = new ReadingLookup(parts);
  }

  /** One page. */
  list(request: ListRequest): Promise<ListResponse> {
    if (request.selection?.$case === 'id') return this.#page(request);
    const key = Buffer.from(ListRequest.encode(request).finish()).toString('latin1');
    return this.#reads.ask(key, () => this.#page(request));
  }

  /** Every page, in order. */
  async *stream({ list: request = emptyRequest }: ListStreamRequest): AsyncGenerator<ListStreamResponse> {
    await this.#parts.freshness.flush(flushTimeoutMs);
    let next = request;
    for (;;) {
      const page = await this.#page(next);
      yield { page };
      if (page.nextPageToken === '') return;
      next = { ...next, pageToken: page.nextPageToken };
    }
  }

  async #page(request: ListRequest): Promise<ListResponse> {
    const asked = readRequest(request);
    const { left, pageReadings } = asked;
    const wanted = Math.min(left, pageReadings);
    const found =
      request.selection?.$case === 'id' ? await this.#one(asked) : await this.#read(asked, wanted);
    const readings = firstPage(found, wanted);
    const last = found[readings.length - 1];
    const isMore = readings.length < found.length && last !== undefined;
    return {
      readings,
      count: readings.length,
      isEmpty: readings.length === 0,
      nextPageToken: isMore ? tokenOf(last, left - readings.length) : '',
    };
  }

  #read({ left, pageReadings, ...query }: Asked, wanted: number): Promise<Reading[]> {
    // One more than asked for tells whether there is a next page.
    return this.#parts.engine.readings({ ...query, limit: wanted < left ? wanted + 1 : wanted });
  }

  async #one(asked: Asked): Promise<Reading[]> {
    const { sensors = [], locations = [], metrics = [], fromNs, after, left } = asked;
    if (left === 0) return [];
    if (locations.length > 0 || metrics.length > 0 || after !== undefined) return this.#read(asked, 1);
    const found = await this.#lookup.find({ sensor: sensors[0]!, timeNs: fromNs });
    return found === undefined ? [] : [found];
  }
}

const encoded = new WeakMap<ListResponse, Buffer>();

/** An answer's bytes, made once however many it goes to. */
export function encodeList(response: ListResponse): Buffer {
  const known = encoded.get(response);
  if (known) return known;
  const bytes = Buffer.from(ListResponse.encode(response).finish());
  encoded.set(response, bytes);
  return bytes;
}

const emptyRequest: ListRequest = { filter: undefined, selection: undefined, pageSize: 0, pageToken: '' };

function readRequest({ filter, selection, pageSize, pageToken }: ListRequest): Asked {
  if (pageSize > maxPageReadings)
    throw invalidFields([{ path: 'page_size', message: `must be at most ${maxPageReadings}` }]);
  const pageReadings = pageSize === 0 ? defaultPageReadings : pageSize;
  const all = { ...toReadingFilter(filter), ...toTimeRange(filter) };
  const { order, most } = bounds(selection);
  const token = pageToken === '' ? undefined : readToken(pageToken);
  const asked = { ...all, order, after: token?.after, left: token?.left ?? most, pageReadings };
  if (selection?.$case !== 'id') return asked;
  const { sensor, timeNs } = readReadingId(selection.value);
  if (!holds(all, sensor, timeNs)) return { ...asked, left: 0 };
  return { ...asked, sensors: [sensor], fromNs: timeNs, toNs: timeNs + 1n };
}

function bounds(selection: ListRequest['selection']): { order: 'asc' | 'desc'; most: number } {
  switch (selection?.$case) {
    case 'first':
    case 'id':
      return { order: 'asc', most: 1 };
    case 'last':
      return { order: 'desc', most: 1 };
    case 'oldest':
      return { order: 'asc', most: selection.value };
    case 'newest':
      return { order: 'desc', most: selection.value };
    default:
      return { order: 'asc', most: Number.MAX_SAFE_INTEGER };
  }
}

/** Whether what else is asked for lets this one through; times that no store holds are at nobody's. */
function holds(
  { sensors, fromNs, toNs }: Omit<ReadingsQuery, 'limit' | 'order'>,
  sensor: string,
  timeNs: bigint,
) {
  if (timeNs < MIN_TIME_NS || timeNs >= MAX_TIME_NS || timeNs < fromNs || timeNs >= toNs) return false;
  return sensors === undefined || sensors.length === 0 || sensors.includes(sensor);
}

/** As many as are wanted and go into one message; the first one does, however large it is. */
function firstPage(found: readonly Reading[], wanted: number): ReadingMessage[] {
  const page: ReadingMessage[] = [];
  let bytes = 0;
  for (const reading of found) {
    bytes += estimateBytes(reading);
    if (page.length === wanted || (bytes > maxPageBytes && page.length > 0)) break;
    page.push(toReadingMessage(reading));
  }
  return page;
}

/** Text may take three bytes a UTF-16 unit; a number with its tags takes some 16 bytes. */
function estimateBytes({ sensor, location, values }: Reading): number {
  let bytes = 64 + 6 * sensor.length + 3 * (location?.length ?? 0);
  for (const [metric, value] of values)
    bytes += 16 + 3 * metric.length + (typeof value === 'string' ? 3 * value.length : 0);
  return bytes;
}

function tokenOf({ timeNs, sensor }: Reading, left: number): string {
  return encodeCursor(timeNs, String(left), sensor);
}

function readToken(token: string): { after: { timeNs: bigint; sensor: string }; left: number } {
  const [time = '', left = '', sensor = ''] = decodeToken(token);
  if (/^-?\d{1,19}$/.test(time) && /^\d{1,16}$/.test(left))
    return { after: { timeNs: BigInt(time), sensor }, left: Number(left) };
  throw badToken;
}

function decodeToken(token: string): string[] {
  try {
    return decodeCursor(token, 3);
  } catch {
    throw badToken;
  }
}

const badToken = invalidFields([
  { path: 'page_token', message: 'is not one that this list answered with as next_page_token' },
]);
