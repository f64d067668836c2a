import { BufferedWriter, type WriterOptions } from './buffered-writer.ts';
import { type ConnectionOptions, Http } from './http.ts';
import { type LiveEvent, type LiveOptions, liveEvents } from './live.ts';
import type {
  Alert,
  Document,
  LatestValue,
  NewReading,
  Reading,
  ReadingFilter,
  ReadingsQuery,
  Window,
  WindowsQuery,
  WriteResult,
} from './types.ts';

const READINGS_PAGE = 10_000;
const REGISTRY_PAGE = 1000;

/** A Tidemark platform, asked over HTTP. Every call throws TidemarkClientError for what is refused or not reached. */
export class TidemarkClient {
  readonly sensors: Registered;
  readonly locations: Registered;
  readonly alerts: AlertsClient;
  readonly #http: Http;

  constructor(options: ConnectionOptions) {
    this.#http = new Http(options);
    this.sensors = new Registered(this.#http, 'sensors');
    this.locations = new Registered(this.#http, 'locations');
    this.alerts = new AlertsClient(this.#http);
  }

  /** Records one reading or some; resolves once those accepted are on stable storage. */
  record(readings: NewReading | readonly NewReading[]): Promise<WriteResult> {
    return this.#http.ask('readings', { method: 'POST', body: readings });
  }

  /** Takes many readings and sends them in batches, with back-pressure; see BufferedWriter. */
  writer(options: WriterOptions = {}): BufferedWriter {
    return new BufferedWriter((readings) => this.record(readings), options);
  }

  /** Readings by time, page by page. */
  readings(query: ReadingsQuery = {}): AsyncGenerator<Reading> {
    return this.#http.pages('readings', query, READINGS_PAGE);
  }

  /** One reading by its id, `<sensor>@<time in ns>`. */
  reading(id: string): Promise<Reading> {
    return this.#http.ask(`readings/${encodeURIComponent(id)}`);
  }

  /** The newest value of each sensor and metric. */
  async latest(filter: ReadingFilter = {}): Promise<LatestValue[]> {
    return (await this.#http.ask<{ items: LatestValue[] }>('latest', { parameters: filter })).items;
  }

  /** Aggregates of windows of time. */
  async windows(query: WindowsQuery = {}): Promise<Window[]> {
    return (await this.#http.ask<{ items: Window[] }>('windows', { parameters: query })).items;
  }

  /** Readings as they become durable, resumed by itself; it ends with its signal, or when the loop over it does. */
  live(options: LiveOptions = {}): AsyncGenerator<LiveEvent> {
    return liveEvents(this.#http, options);
  }

  /** Says that a service is up; `timeoutMs` is how long it may be silent. */
  beat(heartbeat: { service: string; latencyMs?: number; timeoutMs?: number }): Promise<{ time: string }> {
    return this.#http.ask('heartbeats', { method: 'POST', body: heartbeat });
  }
}

/** Sensors or locations. */
class Registered {
  readonly #http: Http;
  readonly #path: string;

  constructor(http: Http, path: string) {
    this.#http = http;
    this.#path = path;
  }

  /** All of them that match, in order of their ids, page by page. */
  list(query: Readonly<Record<string, string>> & { limit?: never } = {}): AsyncGenerator<Document> {
    return this.#http.pages(this.#path, query, REGISTRY_PAGE);
  }

  get(id: string): Promise<Document> {
    return this.#http.ask(this.#pathOf(id));
  }

  create(document: Document): Promise<Document> {
    return this.#http.ask(this.#path, { method: 'POST', body: document });
  }

  /** Changes what is given; null takes a member away. */
  update(id: string, patch: Record<string, unknown>): Promise<Document> {
    return this.#http.ask(this.#pathOf(id), { method: 'PATCH', body: patch });
  }

  async delete(id: string): Promise<void> {
    await this.#http.ask(this.#pathOf(id), { method: 'DELETE' });
  }

  #pathOf(id: string): string {
    return `${this.#path}/${encodeURIComponent(id)}`;
  }
}

class AlertsClient {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /** Those that match, such as `{ state: 'firing' }`. */
  async list(filter: Readonly<Record<string, string>> = {}): Promise<Alert[]> {
    return (await this.#http.ask<{ items: Alert[] }>('alerts', { parameters: filter })).items;
  }

  acknowledge(id: string, body: { by?: string; comment?: string } = {}): Promise<Alert> {
    return this.#http.ask(`alerts/${encodeURIComponent(id)}/ack`, { method: 'POST', body });
  }

  resolve(id: string, body: { by?: string; comment?: string } = {}): Promise<Alert> {
    return this.#http.ask(`alerts/${encodeURIComponent(id)}/resolve`, { method: 'POST', body });
  }
}
