import { EventSource } from 'eventsource';
import type { Http } from './http.ts';
import type { Reading, ReadingFilter } from './types.ts';

/** Readings that were left out, and why; `skipped` is null where nobody can know how many. */
export interface LiveGap {
  reason: 'reclaimed' | 'ahead' | 'behind';
  from: number;
  to: number;
  skipped: number | null;
}

/** `id` resumes behind this event. */
export type LiveEvent =
  | { kind: 'reading'; id: string; reading: Reading }
  | { kind: 'gap'; id: string; gap: LiveGap };

export interface LiveOptions extends ReadingFilter {
  /** The `id` of the last event that was seen, also by an earlier process; left out: what comes from now on. */
  after?: string;
  /** Ends it. */
  signal?: AbortSignal;
  /** Told when the stream is open, and when it is lost and tried again. */
  onConnection?: (isOpen: boolean) => void;
  /** Most events that wait for a caller that is slow; then it connects anew and goes on behind what it has. */
  maxWaiting?: number;
}

const KEEP_ALIVE_MS = 3_600_000;

/**
 * Readings as they become durable. It connects again by itself and resumes where it was, missing nothing that the
 * platform's log still holds; readings of one message may come twice then, with the same `id` of their own.
 */
export async function* liveEvents(
  http: Http,
  { after, signal, onConnection, maxWaiting = 10_000, ...filter }: LiveOptions,
): AsyncGenerator<LiveEvent> {
  const waiting: LiveEvent[] = [];
  let last = after;
  let wake = () => {};
  let fault: Error | undefined;
  const source = () => {
    const opened = new EventSource(http.urlOf('live', filter), {
      fetch: (url, init) => {
        // It knows a newer place itself where nothing matched for long.
        const headers = {
          ...(last !== undefined && { 'Last-Event-ID': last }),
          ...init?.headers,
          ...http.headers,
        };
        return fetch(url, { ...init, headers });
      },
    });
    const take = (event: LiveEvent) => {
      waiting.push(event);
      last = event.id;
      if (waiting.length >= maxWaiting) opened.close();
      wake();
    };
    opened.addEventListener('open', () => onConnection?.(true));
    opened.addEventListener('message', ({ data, lastEventId: id }) =>
      take({ kind: 'reading', id, reading: JSON.parse(data) }),
    );
    opened.addEventListener('gap', ({ data, lastEventId: id }) =>
      take({ kind: 'gap', id, gap: JSON.parse(data) }),
    );
    opened.addEventListener('error', ({ code, message }) => {
      // Without a code it connects again by itself.
      if (opened.readyState === opened.CLOSED)
        fault = new Error(`the live stream was refused: ${code} ${message}`);
      else onConnection?.(false);
      wake();
    });
    return opened;
  };
  let connection = source();
  // The pause before it connects again does not keep a process going; who waits for readings wants that.
  const keepAlive = setInterval(() => {}, KEEP_ALIVE_MS);
  const onAbort = () => wake();
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    while (signal?.aborted !== true) {
      const next = waiting.shift();
      if (next !== undefined) {
        yield next;
      } else if (fault !== undefined) {
        throw fault;
      } else if (connection.readyState === connection.CLOSED) {
        connection = source();
      } else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  } finally {
    clearInterval(keepAlive);
    signal?.removeEventListener('abort', onAbort);
    connection.close();
  }
}
