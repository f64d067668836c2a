import { ask, askJson } from '../platform/client.ts';
import type { Refusal } from './state.ts';

export interface QuarantineFilter {
  reason: string;
  sensor: string;
}

interface Summary {
  count: number;
  byReason: { reason: string; count: number }[];
  bySensor: { sensor: string; count: number }[];
  evicted: Record<string, number>;
}

interface List {
  items: Refusal[];
  next: string | null;
  total: number;
}

interface Replayed {
  replayed: number;
  refused: number;
  reasons: { reason: string; count: number }[];
  left: number;
  next: string | null;
}

const itemsAtOnce = 50;
const refreshEveryMs = 3000;

/** What the quarantine view shows, and what can be done there. */
export class QuarantineState {
  filter: QuarantineFilter = { reason: '', sensor: '' };
  items: Refusal[] = [];
  /** Cursor of the items that are not loaded yet. */
  next: string | null = null;
  /** All that the quarantine holds. */
  total = 0;
  isLoaded = false;
  /** By reason, of the sensor that is chosen: what the filter can be set to. */
  reasons: Summary['byReason'] = [];
  sensors: string[] = [];
  /** How many match the filter. */
  count = 0;
  evicted = 0;
  isBusy = false;
  /** What came of the last action, or how far it is. */
  outcome = '';
  fault = '';
  readonly #listeners = new Set<() => void>();
  #loads = 0;

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Keeps the view current until the answer is called. */
  follow(): () => void {
    void this.#load();
    // Not while further pages are open: they would close under the reader's eyes.
    const timer = setInterval(() => {
      if (!this.isBusy && this.items.length <= itemsAtOnce) void this.#load();
    }, refreshEveryMs);
    return () => clearInterval(timer);
  }

  readonly choose = (change: Partial<QuarantineFilter>): void => {
    this.filter = { ...this.filter, ...change };
    this.outcome = '';
    this.fault = '';
    this.#tell();
    void this.#load();
  };

  async showMore(): Promise<void> {
    const { items, next } = await askJson<List>(
      this.#path('', { limit: String(itemsAtOnce), cursor: this.next }),
    );
    this.items = [...this.items, ...items];
    this.next = next;
    this.#tell();
  }

  replay(id: string): Promise<void> {
    return this.#act(async () => sentenceOf(await post(pathOf(`/${id}/replay`, {}))));
  }

  /** Replays all that match, a part at a time. */
  replayAll(): Promise<void> {
    return this.#act(async () => {
      const sum: Replayed = { replayed: 0, refused: 0, reasons: [], left: 0, next: null };
      const counts = new Map<string, number>();
      do {
        const part = await post(this.#path('/replay', { cursor: sum.next }));
        sum.replayed += part.replayed;
        sum.refused += part.refused;
        for (const { reason, count } of part.reasons) counts.set(reason, (counts.get(reason) ?? 0) + count);
        sum.next = part.next;
        this.outcome = `${sum.replayed} replayed, ${part.left} left…`;
        this.#tell();
      } while (sum.next !== null);
      return sentenceOf({ ...sum, reasons: Array.from(counts, ([reason, count]) => ({ reason, count })) });
    });
  }

  discard(id: string): Promise<void> {
    return this.#act(() => discarded(pathOf(`/${id}`, {})));
  }

  discardAll(): Promise<void> {
    const isFiltered = this.filter.reason !== '' || this.filter.sensor !== '';
    return this.#act(() => discarded(this.#path('', { all: isFiltered ? null : 'true' })));
  }

  async #act(action: () => Promise<string>): Promise<void> {
    this.isBusy = true;
    this.fault = '';
    this.outcome = '';
    this.#tell();
    try {
      this.outcome = await action();
    } catch (error) {
      this.fault = error instanceof Error ? error.message : String(error);
    }
    await this.#load();
    this.isBusy = false;
    this.#tell();
  }

  async #load(): Promise<void> {
    const load = ++this.#loads;
    const { reason, sensor } = this.filter;
    try {
      const [list, matching, ofSensor, all] = await Promise.all([
        askJson<List>(this.#path('', { limit: String(itemsAtOnce) })),
        askJson<Summary>(this.#path('/summary')),
        askJson<Summary>(pathOf('/summary', { sensor })),
        askJson<Summary>(pathOf('/summary', { reason })),
      ]);
      // An answer to an older question must not replace that to a newer one.
      if (load !== this.#loads) return;
      Object.assign(this, { items: list.items, next: list.next, total: list.total, count: matching.count });
      this.reasons = ofSensor.byReason;
      this.sensors = all.bySensor.map(({ sensor: id }) => id);
      this.evicted = Object.values(all.evicted).reduce((sum, count) => sum + count, 0);
      this.isLoaded = true;
      this.#tell();
    } catch {
      // The page says that the connection is lost; the next load comes by itself.
    }
  }

  #path(rest: string, parameters: Record<string, string | null> = {}): string {
    return pathOf(rest, { ...this.filter, ...parameters });
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}

function pathOf(rest: string, parameters: Record<string, string | null>): string {
  const query = new URLSearchParams(
    Object.entries(parameters).filter((entry): entry is [string, string] => !!entry[1]),
  );
  return `/api/v1/quarantine${rest}?${query}`;
}

async function post(path: string): Promise<Replayed> {
  return (await ask(path, { method: 'POST' })).json() as Promise<Replayed>;
}

async function discarded(path: string): Promise<string> {
  const response = await ask(path, { method: 'DELETE' });
  return `${((await response.json()) as { discarded: number }).discarded} discarded.`;
}

/** `3 replayed, 2 refused again (empty 1, bad_time 1).` */
function sentenceOf({ replayed, refused, reasons }: Replayed): string {
  const why = reasons.map(({ reason, count }) => `${reason} ${count}`).join(', ');
  return `${replayed} replayed${refused === 0 ? '' : `, ${refused} refused again (${why})`}.`;
}
