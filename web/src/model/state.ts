import { ask, askJson, keepToken, readToken, Unauthorized } from '../platform/client.ts';
import { readHint } from '../platform/hints.ts';
import { followLive } from '../platform/live.ts';
import type { ServerEvent } from '../platform/sse.ts';
import { loadHistory } from './history.ts';
import { Rate } from './rate.ts';
import { type MetricValue, type ReadingJson, type SensorState, Sensors } from './sensors.ts';

export interface Refusal {
  id: string;
  time: string;
  topic: string;
  reason: string;
  detail: string;
  payload: string;
}

export interface Health {
  status: 'pass' | 'fail';
  message: string;
  version: string;
  /** Of the editor of flows; absent where there is none. */
  flowsPort?: number;
}

/** Of `GET /api/v1/storage`, what is shown. */
export interface StorageJson {
  usedBytes: number | null;
  freeBytes: number;
  maxBytes: number | null;
  oldest: string | null;
  nextPurge: string | null;
}

interface LatestItem {
  sensor: string;
  location: string | null;
  metric: string;
  value: MetricValue;
  time: string;
}

const healthEveryMs = 5000;
const quarantineEveryMs = 2000;
const alertsEveryMs = 3000;
/** More than these are not counted. */
export const countedAlerts = 100;
const storageEveryMs = 60_000;
const drawEveryMs = 250;
const shownRefusals = 8;

/** All that the page shows, brought up to date in the background; `subscribe` tells of changes. */
export class PageState {
  readonly sensors = new Sensors();
  connection: 'connecting' | 'live' | 'lost' | 'unauthorized' = 'connecting';
  isLoaded = false;
  health: Health | undefined;
  storage: StorageJson | undefined;
  refusals: Refusal[] = [];
  refusedTotal = 0;
  /** Alerts that fire and that nobody has acknowledged, up to `countedAlerts`. */
  firing = 0;
  /** Readings left out because this page or the log could not keep up; undefined where nobody counted. */
  skipped = 0;
  nowMs = Date.now();
  readonly #rate = new Rate();
  readonly #listeners = new Set<() => void>();
  #running = new AbortController();

  get readingsPerSecond(): number {
    return this.#rate.perSecond(performance.now());
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  start(): void {
    if (readHint('access') === 'token' && readToken() === null) {
      this.connection = 'unauthorized';
      return;
    }
    const { signal } = this.#running;
    // Live first, so that nothing falls between what is listed and what comes.
    const handlers = {
      onOpen: () => this.#onOpen(),
      onEvents: (events: readonly ServerEvent[]) => this.#onEvents(events),
      onLost: () => this.#connect('lost'),
      onUnauthorized: () => this.#onUnauthorized(),
    };
    void followLive('/api/v1/live', handlers, signal);
    repeat(() => this.#pollHealth(), healthEveryMs, signal);
    repeat(() => this.#pollQuarantine(), quarantineEveryMs, signal);
    repeat(() => this.#pollAlerts(), alertsEveryMs, signal);
    repeat(() => this.#pollStorage(), storageEveryMs, signal);
    repeat(async () => this.#draw(), drawEveryMs, signal);
  }

  /** Tries again with a token. */
  useToken(token: string): void {
    keepToken(token);
    this.#running.abort();
    this.#running = new AbortController();
    this.#connect('connecting');
    this.start();
  }

  /** Asks once for what the sensors reported before the page was opened. */
  showHistory(sensors: readonly SensorState[]): void {
    const fresh = sensors.filter((sensor) => !sensor.hasHistory);
    for (const sensor of fresh) sensor.hasHistory = true;
    if (fresh.length === 0) return;
    loadHistory(fresh, Date.now()).then(
      () => this.#draw(),
      () => {
        for (const sensor of fresh) sensor.hasHistory = false;
      },
    );
  }

  #onOpen(): void {
    this.#connect('live');
    void this.#loadLatest();
  }

  #onUnauthorized(): void {
    this.#running.abort();
    this.#connect('unauthorized');
  }

  #connect(connection: PageState['connection']): void {
    this.connection = connection;
    this.#draw();
  }

  async #loadLatest(): Promise<void> {
    try {
      const { items } = await askJson<{ items: LatestItem[] }>('/api/v1/latest');
      for (const { sensor, location, metric, value, time } of items) {
        this.sensors.setLatest(sensor, location, metric, value, Date.parse(time));
      }
      this.isLoaded = true;
      this.#draw();
    } catch (error) {
      if (error instanceof Unauthorized) this.#onUnauthorized();
      else if (!this.#running.signal.aborted) setTimeout(() => void this.#loadLatest(), 2000);
    }
  }

  #onEvents(events: readonly ServerEvent[]): void {
    let readings = 0;
    for (const { type, data } of events) {
      if (type === 'gap') {
        this.skipped += (JSON.parse(data) as { skipped: number | null }).skipped ?? 0;
      } else if (type === 'message') {
        this.sensors.addReading(JSON.parse(data) as ReadingJson);
        readings += 1;
      }
    }
    this.#rate.add(readings, performance.now());
  }

  async #pollHealth(): Promise<void> {
    // A failing platform answers 503 with the same body.
    const response = await fetch('/health');
    this.health = (await response.json()) as Health;
  }

  async #pollAlerts(): Promise<void> {
    const path = `/api/v1/alerts?state=firing&limit=${countedAlerts}`;
    this.firing = (await askJson<{ items: unknown[] }>(path)).items.length;
  }

  async #pollStorage(): Promise<void> {
    this.storage = await askJson<StorageJson>('/api/v1/storage');
  }

  async #pollQuarantine(): Promise<void> {
    const response = await ask(`/api/v1/quarantine?limit=${shownRefusals}`);
    const { items, total } = (await response.json()) as { items: Refusal[]; total: number };
    this.refusals = items;
    this.refusedTotal = total;
  }

  #draw(): void {
    this.nowMs = Date.now();
    for (const listener of this.#listeners) listener();
  }
}

/** Runs a task now and whenever `everyMs` have passed since it ended, until aborted; a failed one is tried again. */
function repeat(task: () => Promise<void>, everyMs: number, signal: AbortSignal): void {
  const run = () => {
    if (signal.aborted) return;
    task()
      .catch(() => {})
      .finally(() => setTimeout(run, everyMs));
  };
  run();
}
