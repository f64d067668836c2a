import type { EventSource } from 'eventsource';
import type { Api } from './api.ts';

const reopenMs = 5000;

/** One server-sent event; `id` is where to resume behind it. */
export interface StreamEvent {
  /** `message` unless the server named it. */
  name: string;
  data: string;
  id: string;
}

interface StreamOptions {
  api: Api;
  path: string;
  query?: Readonly<Record<string, string | undefined>>;
  /** Events with a name of their own that are wanted too. */
  names?: readonly string[];
  onEvent: (event: StreamEvent) => void;
  /** Called after each connection, the first included. */
  onOpen: () => void;
  /** Called when the connection is lost or refused; it is tried again until `close`. */
  onLost: (reason: string) => void;
}

/** Server-sent events of the platform: resumed by `Last-Event-ID` whenever the connection is lost. */
export class EventStream {
  readonly #options: StreamOptions;
  #lastEventId: string | undefined;
  #source: EventSource | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: StreamOptions) {
    this.#options = options;
  }

  /** Resumes behind this event once it is opened. */
  resumeAt(id: string): void {
    this.#lastEventId = id;
  }

  async open(): Promise<void> {
    const { EventSource } = await import('eventsource');
    this.#source?.close();
    if (this.#isClosed) return;
    const { api, path, query, names = [], onEvent, onOpen, onLost } = this.#options;
    const source = new EventSource(api.urlOf(path, query), {
      fetch: (url, init) => fetch(url, { ...init, headers: this.#headersFor(init.headers) }),
    });
    const take = (event: MessageEvent): void => {
      this.#lastEventId = event.lastEventId;
      onEvent({ name: event.type, data: String(event.data), id: event.lastEventId });
    };
    for (const name of ['message', ...names]) source.addEventListener(name, take);
    source.addEventListener('open', () => onOpen());
    source.addEventListener('error', ({ code, message }) => {
      if (this.#isClosed) return;
      onLost(code === undefined ? (message ?? 'no connection') : `HTTP ${code}`);
      // A refusal is final to an EventSource, and may be a restart to us.
      if (source.readyState === source.CLOSED) this.#timer = setTimeout(() => void this.open(), reopenMs);
    });
    this.#source = source;
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#source?.close();
  }

  #headersFor(headers: Readonly<Record<string, string>>): Record<string, string> {
    const { api } = this.#options;
    // An event without data moves the place too, which only the EventSource knows then.
    this.#lastEventId = headers['Last-Event-ID'] ?? this.#lastEventId;
    const resume = this.#lastEventId === undefined ? {} : { 'Last-Event-ID': this.#lastEventId };
    return { ...headers, ...api.headers, ...resume };
  }
}
