import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { type Alerts, TidemarkError, transitionToJson } from '@tidemark/core';
import type { ApiEnv, ApiParts } from '../parts.ts';
import { problems } from '../schemas.ts';

const heartbeatMs = 15_000;
/** Each holds a socket. */
const maxClients = 1000;
/** Told at once. */
const batch = 100;

const route = createRoute({
  method: 'get',
  path: '/api/v1/alerts/live',
  tags: ['Alerts'],
  summary: 'Changes of alerts as they come about',
  description:
    'Server-sent events: each change is one message, its data an AlertTransition, its id the `number`. Sent back as ' +
    '`Last-Event-ID`, it resumes behind that one, as far back as changes are kept; with one that is not there yet it ' +
    'begins with the present.',
  request: {
    query: z.strictObject({}),
    headers: z.object({
      'last-event-id': z
        .string()
        .regex(/^\d{1,15}$/, { error: 'is no event id' })
        .optional()
        .openapi({ description: 'Number of the last change that was seen.', example: '17' }),
    }),
  },
  responses: {
    200: {
      description: 'Events',
      content: {
        'text/event-stream': {
          schema: z
            .string()
            .openapi({ example: 'id: 17\ndata: {"id":"too-hot:greenhouse-1","state":"firing"}\n\n' }),
        },
      },
    },
    ...problems(400, 503),
  },
});

/** `GET /api/v1/alerts/live`. */
export function liveAlerts(app: OpenAPIHono<ApiEnv>, { alerts }: ApiParts): void {
  let clients = 0;
  app.openapi(route, (c) => {
    const headers = { 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' };
    // Nobody would ever read the body of an answer to HEAD, nor close it.
    if (c.req.method === 'HEAD') return c.body('', 200, headers);
    if (clients >= maxClients)
      throw new TidemarkError('unavailable', `${maxClients} clients follow alerts already`);
    const lastEventId = c.req.valid('header')['last-event-id'];
    const closing = new AbortController();
    const signal = AbortSignal.any([closing.signal, c.env?.stopping].filter((part) => part !== undefined));
    // An id that has not been told yet is of another platform, or of before a restore: it begins with the present.
    const after = Math.min(Number(lastEventId ?? alerts.newest), alerts.newest);
    const events = eventsOf(alerts, after, signal);
    clients += 1;
    const onClose = (): void => {
      if (!closing.signal.aborted) clients -= 1;
      closing.abort();
    };
    return c.body(toStream(events, onClose), 200, headers);
  });
}

async function* eventsOf(alerts: Alerts, after: number, signal: AbortSignal): AsyncGenerator<string> {
  let seen = after;
  // Where it is: lost before the first change, a client that resumes there still misses none.
  yield `retry: 1000\nid: ${seen}\n\n`;
  while (!signal.aborted) {
    const pause = AbortSignal.any([signal, AbortSignal.timeout(heartbeatMs)]);
    await alerts.waitBeyond(seen, pause);
    const found = alerts.transitionsAfter(seen, batch);
    if (found.length === 0) {
      // What there is may be none that is told.
      seen = Math.max(seen, alerts.newest);
      yield ': heartbeat\n\n';
      continue;
    }
    seen = found.at(-1)!.number;
    yield found
      .map((one) => `id: ${one.number}\ndata: ${JSON.stringify(transitionToJson(one))}\n\n`)
      .join('');
  }
}

function toStream(events: AsyncGenerator<string>, onClose: () => void): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await events.next();
        if (done !== true) return controller.enqueue(encoder.encode(value));
        onClose();
        controller.close();
      },
      cancel: onClose,
    },
    { highWaterMark: 1 },
  );
}
