import { Counter, Gauge, type Journal, type Registry, TidemarkError } from '@tidemark/core';
import type { ReadingFilter } from '@tidemark/store';
import { type LiveEvent, liveEvents } from './live-events.ts';
import { LiveFeed } from './live-feed.ts';

/** Proxies cut what is silent for longer. */
const HEARTBEAT_MS = 15_000;
/** About 40 000 readings: some seconds at full rate. */
const MAX_LAG_BYTES = 4 * 1024 * 1024;
/** Each holds a socket, and one that reads by itself a cursor in the log. */
const MAX_CLIENTS = 1000;

interface ClientOptions {
  filter: ReadingFilter;
  /** The offset to resume at; undefined: what comes from now on. */
  resumeAt: number | undefined;
  /** Ends it, as its own `close` does. */
  stopping: AbortSignal | undefined;
}

interface LiveClient {
  events: AsyncGenerator<LiveEvent>;
  /** To be called when the client has gone, also where its events were never asked for; may be called again. */
  close: () => void;
}

/** The clients that readings are sent to as they become durable, whatever they came by: SSE, WebSocket or gRPC. */
export class LiveClients {
  readonly #journal: Journal;
  readonly #feed: LiveFeed;
  readonly #meters: ReturnType<typeof createMeters>;
  #count = 0;

  constructor({ journal, metrics }: { journal: Journal; metrics: Registry }) {
    this.#journal = journal;
    this.#feed = new LiveFeed({ journal });
    this.#meters = createMeters(metrics, () => this.#count);
  }

  /** Throws `unavailable` when there are as many as there may be. */
  open({ filter, resumeAt, stopping }: ClientOptions): LiveClient {
    if (this.#count >= MAX_CLIENTS)
      throw new TidemarkError('unavailable', `${MAX_CLIENTS} live clients are connected already`);
    const closing = new AbortController();
    const signal = AbortSignal.any([closing.signal, stopping].filter((part) => part !== undefined));
    const events = liveEvents({
      journal: this.#journal,
      feed: this.#feed,
      filter,
      resumeAt,
      signal,
      heartbeatMs: HEARTBEAT_MS,
      maxLagBytes: MAX_LAG_BYTES,
    });
    this.#count += 1;
    const close = () => {
      if (closing.signal.aborted) return;
      closing.abort();
      this.#count -= 1;
    };
    return { events: this.#meters.count(events), close };
  }
}

function createMeters(registry: Registry, clients: () => number) {
  const registers = [registry];
  new Gauge({
    name: 'tidemark_live_clients',
    help: 'Connected live clients',
    registers,
    collect() {
      this.set(clients());
    },
  });
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
  return { count };
}
