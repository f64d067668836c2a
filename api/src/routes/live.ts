import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { Counter, Gauge, type Registry, TidemarkError } from '@tidemark/core';
import { type LiveEvent, liveEvents } from '../live/live-events.ts';
import { toEventStream } from '../live/sse.ts';
import type { ApiEnv, ApiParts } from '../parts.ts';
import { filterParameters, toFilter } from '../query.ts';
import { problems } from '../schemas.ts';

const heartbeatMs = 15_000;
// About 40 000 readings: some seconds at full rate.
const maxLagBytes = 4 * 1024 * 1024;
// Each holds a socket and a cursor in the log.
const maxClients = 1000;

const route = createRoute({
  method: 'get',
  path: '/api/v1/live',
  tags: ['Live'],
  summary: 'Readings as they become durable',
  description:
    'Server-sent events: each reading is one message, its data a Reading (booleans as 0 and 1). The event id is an ' +
    'offset in the log; sent back as `Last-Event-ID`, it resumes without missing anything (readings of one message ' +
    'that was cut off come again, with the same `id`). The event `gap` says what was left out: ' +
    '`{"reason": "reclaimed" | "ahead" | "behind", "from", "to", "skipped": readings or null}`. ' +
    'Browsers that have to show a token read it by `fetch`, with an `Authorization` header.',
  request: {
    query: z.strictObject(filterParameters),
    headers: z.object({
      'last-event-id': z
        .string()
        .regex(/^\d{1,15}$/, { error: 'is no event id' })
        .optional()
        .openapi({ description: 'Id of the last event that was seen.', example: '18432' }),
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
export function live(app: OpenAPIHono<ApiEnv>, { journal, metrics, logger }: ApiParts): void {
  const meters = createMeters(metrics);
  let clients = 0;

  app.openapi(route, (c) => {
    const headers = { 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' };
    // Nobody would ever read the body of an answer to HEAD, nor close it.
    if (c.req.method === 'HEAD') return c.body('', 200, headers);
    if (clients >= maxClients) {
      throw new TidemarkError('unavailable', `${maxClients} live clients are connected already`);
    }
    const lastEventId = c.req.valid('header')['last-event-id'];
    const closing = new AbortController();
    const signal = AbortSignal.any([closing.signal, c.env?.stopping].filter((part) => part !== undefined));
    const events = liveEvents({
      journal,
      filter: toFilter(c.req.valid('query')),
      resumeAt: lastEventId === undefined ? undefined : Number(lastEventId),
      signal,
      heartbeatMs,
      maxLagBytes,
    });
    clients += 1;
    meters.clients.inc();
    const onClose = () => {
      if (closing.signal.aborted) return;
      closing.abort();
      clients -= 1;
      meters.clients.dec();
    };
    const onError = (error: unknown) =>
      logger.error({ err: error }, 'a live client is cut off: the log cannot be read');
    return c.body(toEventStream({ events: meters.count(events), onClose, onError }), 200, headers);
  });
}

function createMeters(registry: Registry) {
  const registers = [registry];
  const clients = new Gauge({ name: 'tidemark_live_clients', help: 'Connected live clients', registers });
  const sent = new Counter({
    name: 'tidemark_live_readings_total',
    help: 'Readings sent to live clients',
    registers,
  });
  const skipped = new Counter({
    name: 'tidemark_live_skipped_readings_total',
    help: 'Readings left out for live clients that were too slow',
    registers,
  });
  async function* count(events: AsyncGenerator<LiveEvent>): AsyncGenerator<LiveEvent> {
    for await (const event of events) {
      if (event.kind === 'readings') sent.inc(event.readings.length);
      else if (event.kind === 'gap') skipped.inc(event.gap.skipped ?? 0);
      yield event;
    }
  }
  return { clients, count };
}
