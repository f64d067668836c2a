import type { LiveEvent } from './live-events.ts';

interface StreamOptions {
  events: AsyncGenerator<LiveEvent>;
  /** Called once, when the client has gone or the events have ended. */
  onClose: () => void;
  /** Called when the events cannot be read; the client is cut off, and comes again. */
  onError: (error: unknown) => void;
}

/** The events as a body that takes the next one only when the client has room for it. */
export function toEventStream({ events, onClose, onError }: StreamOptions): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        controller.enqueue(encoder.encode('retry: 1000\n\n'));
      },
      async pull(controller) {
        try {
          const { done, value } = await events.next();
          if (done !== true) return controller.enqueue(encoder.encode(encodeEvent(value)));
        } catch (error) {
          onClose();
          onError(error);
          throw error;
        }
        onClose();
        controller.close();
      },
      cancel: onClose,
    },
    { highWaterMark: 1 },
  );
}

/** One event as server-sent events (WHATWG HTML, section 9.2). */
function encodeEvent(event: LiveEvent): string {
  switch (event.kind) {
    case 'readings':
      return event.readings.map(({ live, resumeAt }) => `id: ${resumeAt}\ndata: ${live.text}\n\n`).join('');
    case 'gap':
      return `id: ${event.resumeAt}\nevent: gap\ndata: ${JSON.stringify(event.gap)}\n\n`;
    case 'heartbeat':
      // An id without data dispatches nothing, but moves the place that a client resumes at: a filter that
      // matches seldom does not fall behind what the log still holds.
      return `: heartbeat\nid: ${event.resumeAt}\n\n`;
  }
}
