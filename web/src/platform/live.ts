import { ask, Unauthorized } from './client.ts';
import { EventParser, type ServerEvent } from './sse.ts';

interface LiveHandlers {
  onOpen: () => void;
  onEvents: (events: readonly ServerEvent[]) => void;
  onLost: () => void;
  onUnauthorized: () => void;
}

const firstRetryMs = 500;
const longestRetryMs = 8000;
// Heartbeats come every 15 s; a connection silent for longer is a dead one.
const silenceMs = 40_000;

/**
 * Follows a stream of events, by fetch since EventSource cannot show a token, and goes on after the last
 * event whenever the connection is lost. Ends when the signal aborts or the token is refused.
 */
export async function followLive(path: string, handlers: LiveHandlers, signal: AbortSignal): Promise<void> {
  const place = { lastEventId: undefined as string | undefined };
  let retryMs = firstRetryMs;
  while (!signal.aborted) {
    try {
      await readOnce(path, place, signal, {
        ...handlers,
        onOpen: () => {
          retryMs = firstRetryMs;
          handlers.onOpen();
        },
      });
    } catch (error) {
      if (error instanceof Unauthorized) {
        handlers.onUnauthorized();
        return;
      }
    }
    if (signal.aborted) return;
    handlers.onLost();
    await new Promise((resolve) => setTimeout(resolve, retryMs));
    retryMs = Math.min(retryMs * 2, longestRetryMs);
  }
}

async function readOnce(
  path: string,
  place: { lastEventId: string | undefined },
  signal: AbortSignal,
  { onOpen, onEvents }: LiveHandlers,
): Promise<void> {
  const silence = new AbortController();
  const headers = new Headers({ accept: 'text/event-stream' });
  if (place.lastEventId !== undefined) headers.set('last-event-id', place.lastEventId);
  const response = await ask(path, { headers, signal: AbortSignal.any([signal, silence.signal]) });
  onOpen();
  const parser = new EventParser();
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const timer = setTimeout(() => silence.abort(), silenceMs);
    const { done, value } = await reader.read();
    clearTimeout(timer);
    if (done) return;
    const events = parser.push(value);
    place.lastEventId = parser.lastEventId ?? place.lastEventId;
    if (events.length > 0) onEvents(events);
  }
}
