import type { WebSocket } from 'ws';
import type { LiveEvent } from './live-events.ts';

/** Who has not answered a ping when the next one is due is gone, or frozen. */
const PING_MS = 15_000;
/** Close codes of RFC 6455, section 7.4.1. */
const GOING_AWAY = 1001;
const INTERNAL_ERROR = 1011;

interface StreamOptions<Event> {
  events: AsyncGenerator<Event>;
  /** The JSON messages that an event is told by, at least one. */
  encode: (event: Event) => readonly string[];
  /** Called once, when the client has gone or the events have ended. */
  onClose: () => void;
  /** Called when the events cannot be read; the client is cut off, and comes again. */
  onError: (error: unknown) => void;
  pingMs?: number;
}

/** Sends the events as messages, the next one only when the client has taken what was sent before. */
export function toWebSocket<Event>(
  socket: WebSocket,
  { events, encode, onClose, onError, pingMs = PING_MS }: StreamOptions<Event>,
): void {
  let isAlive = true;
  const pings = setInterval(() => {
    if (!isAlive) return socket.terminate();
    isAlive = false;
    socket.ping();
  }, pingMs);
  socket.on('pong', () => {
    isAlive = true;
  });
  // What was wrong is told by the close that follows.
  socket.on('error', () => {});
  socket.once('close', () => {
    clearInterval(pings);
    onClose();
  });
  sendAll(socket, { events, encode }).then(
    () => socket.close(GOING_AWAY, 'the platform stops'),
    (error: unknown) => {
      if (socket.readyState !== socket.OPEN) return;
      onError(error);
      socket.close(INTERNAL_ERROR, 'what is sent cannot be read');
    },
  );
}

async function sendAll<Event>(
  socket: WebSocket,
  { events, encode }: Pick<StreamOptions<Event>, 'events' | 'encode'>,
): Promise<void> {
  for await (const event of events) {
    const messages = encode(event);
    for (const message of messages.slice(0, -1)) socket.send(message);
    await new Promise<void>((resolve, reject) =>
      socket.send(messages.at(-1)!, (error) => (error ? reject(error) : resolve())),
    );
  }
}

/** The same as server-sent events say, each as one JSON message. */
export function encodeLiveEvent(event: LiveEvent): string[] {
  switch (event.kind) {
    case 'readings':
      return event.readings.map(
        ({ live, resumeAt }) => `{"event":"reading","id":"${resumeAt}","data":${live.text}}`,
      );
    case 'gap':
      return [JSON.stringify({ event: 'gap', id: String(event.resumeAt), data: event.gap })];
    case 'heartbeat':
      return [JSON.stringify({ event: 'heartbeat', id: String(event.resumeAt) })];
  }
}
