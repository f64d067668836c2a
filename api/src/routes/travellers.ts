import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { formatTime, NS_PER_MS, TidemarkError } from '@tidemark/core';
import type { StayPlace, TravellerStay, TravellerWindows, TravellerWindowsQuery } from '@tidemark/store';
import { decodeCursor, encodeCursor } from '../cursor.ts';
import { travellerChanges } from '../live/traveller-changes.ts';
import { toWebSocket } from '../live/web-socket.ts';
import type { ApiEnv, ApiParts } from '../parts.ts';
import { invalidFields } from '../problem.ts';
import { cursorParameter, limitParameter } from '../query.ts';
import { jsonContent, listOf, listSchema, problems, time } from '../schemas.ts';
import { textBody } from '../text-stream.ts';
import type { AskedWebSocket } from '../web-sockets.ts';
import { csvLine } from './csv.ts';
import {
  toTravellersQuery,
  toTravellerWindowsQuery,
  travellerParameters,
  travellerWindowParameters,
} from './traveller-query.ts';
import { wantsCsv } from './windows.ts';

/** Watching is cheaper than asking again and again, but not free. */
const MAX_WATCHERS = 100;
const LOOK_EVERY_MS = 1000;
/** Proxies cut what is silent for longer. */
const HEARTBEAT_MS = 15_000;

const sensor = z.string().openapi({ example: 'gate' });
const type = z.string().openapi({ example: 'cyclist' });
const speed = z.number().nullable().openapi({ description: 'In m/s.', example: 4.6 });
const speeds = { minSpeed: speed, meanSpeed: speed, maxSpeed: speed };

const windowSchema = z
  .object({
    time: time.openapi({ description: 'Start of the window.' }),
    sensor,
    type,
    count: z.number().int().openapi({ description: 'Distinct travellers.', example: 3 }),
    ...speeds,
  })
  .openapi('TravellerWindow');

const staySchema = z
  .object({
    traveller: z.string().openapi({ example: 't17' }),
    type,
    sensor,
    entry: time.openapi({ description: 'First position.' }),
    exit: time.openapi({ description: 'Last position.' }),
    ...speeds,
    positions: z.number().int().openapi({ example: 12 }),
  })
  .openapi('TravellerStay');

const windowsRoute = createRoute({
  method: 'get',
  path: '/api/v1/travellers/windows',
  tags: ['Travellers'],
  summary: 'Windows of travellers',
  description:
    'How many travellers of each type were at each sensor, and how fast, by sensor, then type, then time. Windows are ' +
    'aligned to the epoch, and those that begin in `from`..`to` are answered, with the one that `from` is in; empty ones too, ' +
    'for each sensor and type that has any. A traveller counts in every window from its first to its last position of a ' +
    'stay; a speed belongs to the window of the later of its two positions. Positions outside `from`..`to` never count, so the windows at the ends may be partial. Answers CSV instead of JSON with `Accept: text/csv`. Asked for a WebSocket, without `from` and `to`, it sends the windows that are ' +
    'not over, or not for longer than `lateness.allowedMs`, and then each as it changes, once a second at most: ' +
    '`{"event": "window", "data": TravellerWindow}`, and `{"event": "heartbeat"}` where nothing changes.',
  request: { query: z.strictObject(travellerWindowParameters) },
  responses: {
    200: {
      description: 'Windows',
      content: {
        ...jsonContent(listSchema('TravellerWindowList', windowSchema)),
        'text/csv': {
          schema: z.string().openapi({
            example:
              'time,sensor,type,count,minSpeed,meanSpeed,maxSpeed\r\n2026-05-01T12:00:00Z,gate,cyclist,3,3.9,4.6,5.2\r\n',
          }),
        },
      },
    },
    ...problems(400, 503),
  },
});

const staysRoute = createRoute({
  method: 'get',
  path: '/api/v1/travellers',
  tags: ['Travellers'],
  summary: 'Stays of travellers',
  description:
    'One record for each stay of a traveller at a sensor, by entry: `order=desc&limit=10` are the latest 10. A silence longer than `travellers.stayGapMs` ends a stay. ' +
    'Positions outside `from`..`to` never count: a stay that is there before and after is told as far as it is in between.',
  request: {
    query: z.strictObject({
      ...travellerParameters,
      order: z
        .enum(['asc', 'desc'])
        .default('asc')
        .openapi({ description: '`asc`: earliest entry first; `desc`: latest entry first.' }),
      limit: limitParameter(10_000, 1000),
      cursor: cursorParameter,
    }),
  },
  responses: {
    200: { description: 'Stays', content: jsonContent(listSchema('TravellerStayList', staySchema)) },
    ...problems(400, 503),
  },
});

/** `GET /api/v1/travellers`, `/windows`. */
export function travellers(app: OpenAPIHono<ApiEnv>, parts: ApiParts): void {
  const { engine, clock, config } = parts;
  const watchers = new Watchers(parts);
  app.openapi(windowsRoute, async (c) => {
    const words = c.req.valid('query');
    const query = toTravellerWindowsQuery(words, { config, nowNs: clock.nowNs() });
    const { webSocket, stopping } = c.env ?? {};
    if (webSocket !== undefined) {
      const given = (['from', 'to'] as const).filter((name) => words[name] !== undefined);
      const message = 'goes without a WebSocket, which watches the windows of now';
      if (given.length > 0) throw invalidFields(given.map((path) => ({ path, message })));
      watchers.open(query, { webSocket, stopping });
      return c.body('', 200);
    }
    const found = await engine.travellerWindows(query);
    const isCsv = wantsCsv(c.req.header('accept'));
    const contentType = isCsv ? 'text/csv; charset=utf-8' : 'application/json';
    return c.body(textBody(isCsv ? csvParts(found) : jsonParts(found)), 200, { 'content-type': contentType });
  });

  app.openapi(staysRoute, async (c) => {
    const { order, limit, cursor, ...words } = c.req.valid('query');
    const query = toTravellersQuery(words, clock.nowNs());
    const after = cursor === undefined ? undefined : readCursor(cursor);
    // One more than asked for tells whether there is a next page.
    const found = await engine.travellerStays({ ...query, order, limit: limit + 1, after });
    const items = found.slice(0, limit);
    const last = items.at(-1);
    const next = found.length > limit && last ? cursorOf(last) : null;
    return c.json(listOf(items.map(toJson), next), 200);
  });
}

/** Those who watch windows fill; each is a query a second while anything is accepted. */
class Watchers {
  readonly #parts: ApiParts;
  #count = 0;

  constructor(parts: ApiParts) {
    this.#parts = parts;
  }

  /** Throws `unavailable` when there are as many as there may be. */
  open(
    watched: TravellerWindowsQuery,
    { webSocket, stopping }: { webSocket: AskedWebSocket; stopping: AbortSignal | undefined },
  ): void {
    const { config, logger } = this.#parts;
    if (this.#count >= MAX_WATCHERS)
      throw new TidemarkError('unavailable', `${MAX_WATCHERS} clients watch windows of travellers already`);
    const closing = new AbortController();
    const onClose = () => {
      if (closing.signal.aborted) return;
      closing.abort();
      this.#count--;
    };
    this.#count++;
    const events = travellerChanges({
      ...this.#parts,
      watched,
      latenessNs: BigInt(config.lateness.allowedMs) * NS_PER_MS,
      everyMs: LOOK_EVERY_MS,
      heartbeatMs: HEARTBEAT_MS,
      signal: AbortSignal.any([closing.signal, stopping].filter((part) => part !== undefined)),
    });
    const onError = (error: unknown) =>
      logger.error({ err: error }, 'who watches travellers is cut off: the windows cannot be read');
    const encode = (messages: readonly string[]) => messages;
    webSocket.take((socket) => toWebSocket(socket, { events, encode, onClose, onError }), onClose);
  }
}

/** The list as JSON, each window a part of the text. */
function* jsonParts(windows: TravellerWindows): Generator<string> {
  yield '{"items":[';
  let comma = '';
  for (const { timeNs, ...window } of windows) {
    yield `${comma}${JSON.stringify({ time: formatTime(timeNs), ...window })}`;
    comma = ',';
  }
  yield `],"count":${windows.length},"isEmpty":${windows.length === 0},"next":null}`;
}

function* csvParts(windows: TravellerWindows): Generator<string> {
  yield csvLine(['time', 'sensor', 'type', 'count', 'minSpeed', 'meanSpeed', 'maxSpeed']);
  for (const { timeNs, sensor, type, count, minSpeed, meanSpeed, maxSpeed } of windows)
    yield csvLine([formatTime(timeNs), sensor, type, count, minSpeed, meanSpeed, maxSpeed]);
}

function toJson({ entryNs, exitNs, traveller, type, sensor, positions, ...speeds }: TravellerStay) {
  return {
    traveller,
    type,
    sensor,
    entry: formatTime(entryNs),
    exit: formatTime(exitNs),
    ...speeds,
    positions,
  };
}

function cursorOf({ entryNs, sensor, type, traveller }: StayPlace): string {
  // No id holds a slash.
  return encodeCursor(entryNs, [sensor, type, traveller].join('/'));
}

/** Throws `bad_request` where it is none of this list. */
function readCursor(cursor: string): StayPlace {
  const [entry = '', ids = ''] = decodeCursor(cursor, 2);
  const place = /^\d{1,19}$/.test(entry) ? readIds(ids) : undefined;
  if (place === undefined) throw invalidFields([{ path: 'cursor', message: 'is not one of this list' }]);
  const [sensor, type, traveller] = place;
  return { entryNs: BigInt(entry), sensor, type, traveller };
}

function readIds(text: string): [string, string, string] | undefined {
  const ids = text.split('/');
  return ids.length === 3 ? (ids as [string, string, string]) : undefined;
}
