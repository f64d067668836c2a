import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { toEventStream } from '../live/sse.ts';
import { encodeLiveEvent, toWebSocket } from '../live/web-socket.ts';
import type { ApiEnv, ApiParts } from '../parts.ts';
import { filterParameters, toFilter } from '../query.ts';
import { problems } from '../schemas.ts';

const eventId = z
  .string()
  .regex(/^\d{1,15}$/, { error: 'is no event id' })
  .optional();

const route = createRoute({
  method: 'get',
  path: '/api/v1/live',
  tags: ['Live'],
  summary: 'Readings as they become durable',
  description:
    'Server-sent events, or a WebSocket where the request asks for an upgrade. Each reading is one message, its data a ' +
    'Reading (booleans as 0 and 1). The event id is an offset in the log; sent back as `Last-Event-ID` or `after`, it ' +
    'resumes without missing anything (readings of one message that was cut off come again, with the same `id`). The ' +
    'event `gap` says what was left out: `{"reason": "reclaimed" | "ahead" | "behind", "from", "to", "skipped": readings ' +
    'or null}`. A client that is too slow (`behind`) is brought to the present: the newest reading of each series ' +
    'follows the gap. By WebSocket the messages are JSON, `{"event": "reading" | "gap" | "heartbeat", "id", "data"}`, ' +
    'and a browser shows its token as a subprotocol: `new WebSocket(url, ["tidemark", "token.<token>"])`. ' +
    'Server-sent events with a token are read by `fetch`, with an `Authorization` header.',
  request: {
    query: z.strictObject({
      ...filterParameters,
      after: eventId.openapi({
        description: 'Id of the last event that was seen, where no header says it.',
        example: '18432',
      }),
    }),
    headers: z.object({
      'last-event-id': eventId.openapi({
        description: 'Id of the last event that was seen.',
        example: '18432',
      }),
    }),
  },
  responses: {
    200: {
      description: 'Events',
      content: {
        'text/event-stream': {
          schema: z.string().openapi({
            example:
              'id: 18432\ndata: {"id":"greenhouse-1@1777636800250000000","sensor":"greenhouse-1","location":null,"time":"2026-05-01T12:00:00.25Z","temperature":21.5}\n\n',
          }),
        },
      },
    },
    ...problems(400, 503),
  },
});

/** `GET /api/v1/live`. */
export function live(app: OpenAPIHono<ApiEnv>, { live: clients, logger }: ApiParts): void {
  const onError = (error: unknown) =>
    logger.error({ err: error }, 'a live client is cut off: the log cannot be read');

  app.openapi(route, (c) => {
    const headers = { 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' };
    // Nobody would ever read the body of an answer to HEAD, nor close it.
    if (c.req.method === 'HEAD') return c.body('', 200, headers);
    const { after, ...filter } = c.req.valid('query');
    const last = c.req.valid('header')['last-event-id'] ?? after;
    const { events, close } = clients.open({
      filter: toFilter(filter),
      resumeAt: last === undefined ? undefined : Number(last),
      stopping: c.env?.stopping,
    });
    if (c.env?.webSocket === undefined)
      return c.body(toEventStream({ events, onClose: close, onError }), 200, headers);
    c.env.webSocket.take(
      (socket) => toWebSocket(socket, { events, encode: encodeLiveEvent, onClose: close, onError }),
      close,
    );
    return c.body('', 200);
  });
}
