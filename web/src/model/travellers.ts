import { askJson, escapeName, Unauthorized } from '../platform/client.ts';
import { names } from './sensors.ts';
import { type TravellersForm, windowOf } from './travellers-form.ts';

/** One stay, as the API shows it; the speed is in m/s. */
export interface StayJson {
  traveller: string;
  type: string;
  sensor: string;
  entry: string;
  exit: string;
  meanSpeed: number | null;
}

interface WindowJson {
  time: string;
  sensor: string;
  type: string;
  count: number;
  minSpeed: number | null;
  meanSpeed: number | null;
  maxSpeed: number | null;
}

/** The windows of one type at one sensor, as columns for charts. Speeds are in m/s, null where there is none. */
export interface TravellerGroup {
  sensor: string;
  type: string;
  /** Middles of the windows. */
  times: number[];
  windowSeconds: number;
  count: number[];
  minSpeed: (number | null)[];
  meanSpeed: (number | null)[];
  maxSpeed: (number | null)[];
}

interface InfluxJson {
  results: { series?: { values: string[][] }[] }[];
}

const refreshEveryMs = 5000;
const shownStays = 20;
const listedNames = 1000;
/** Windows of this many sensors are asked for when none is chosen. */
export const askedSensors = 50;

/** What the view of travellers shows. */
export class TravellersState {
  /** What there is to choose from, up to 1,000 of each. */
  sensors: string[] = [];
  types: string[] = [];
  /** Those that anybody was at in the range. */
  groups: TravellerGroup[] = [];
  /** The latest first. */
  stays: StayJson[] = [];
  isLoaded = false;
  fault = '';
  readonly #listeners = new Set<() => void>();
  #database: string | undefined;

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Loads what a form asks for, and keeps a range that ends now current, until the answer is called. */
  follow(form: TravellersForm): () => void {
    const closing = new AbortController();
    void this.#follow(form, closing.signal);
    return () => closing.abort();
  }

  async #follow(form: TravellersForm, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const isDone = await this.#load(form, signal);
      if (signal.aborted) return;
      for (const listener of this.#listeners) listener();
      if (isDone && form.to !== 'now') return;
      await new Promise((resolve) => setTimeout(resolve, refreshEveryMs));
    }
  }

  async #load(form: TravellersForm, signal: AbortSignal): Promise<boolean> {
    try {
      await this.#loadNames(signal);
      if (this.sensors.length > 0)
        await Promise.all([this.#loadWindows(form, { signal }), this.#loadStays(form, { signal })]);
      this.fault = '';
      this.isLoaded = true;
      return true;
    } catch (error) {
      // The page says that the connection is lost or that a token is needed; the next load comes by itself.
      if (signal.aborted || error instanceof TypeError || error instanceof Unauthorized) return false;
      this.fault = error instanceof Error ? error.message : String(error);
      this.isLoaded = true;
      return false;
    }
  }

  async #loadNames(signal: AbortSignal): Promise<void> {
    this.#database ??= (await query('SHOW DATABASES', { signal }))[0]?.[0];
    const namesOf = async (tag: string) => {
      const q = `SHOW TAG VALUES FROM "travellers" WITH KEY = "${tag}" LIMIT ${listedNames}`;
      const rows = await query(q, { signal, database: this.#database });
      return rows.map(([, value]) => value!).sort(names.compare);
    };
    [this.sensors, this.types] = await Promise.all([namesOf('sensor'), namesOf('type')]);
  }

  async #loadWindows(form: TravellersForm, init: RequestInit): Promise<void> {
    const { length, seconds } = windowOf(form);
    const words = wordsOf(form);
    if (form.sensor === '' && this.sensors.length > askedSensors)
      for (const sensor of this.sensors.slice(0, askedSensors)) words.append('sensor', escapeName(sensor));
    words.set('every', length);
    words.set('window', length);
    const { items } = await askJson<{ items: WindowJson[] }>(`/api/v1/travellers/windows?${words}`, init);
    const byGroup = Map.groupBy(items, ({ sensor, type }) => `${sensor}/${type}`);
    this.groups = [...byGroup.values()]
      .filter((windows) => windows.some(({ count }) => count > 0))
      .map((windows) => toGroup(windows, seconds))
      .sort((a, b) => names.compare(a.sensor, b.sensor) || names.compare(a.type, b.type));
  }

  async #loadStays(form: TravellersForm, init: RequestInit): Promise<void> {
    const words = wordsOf(form);
    words.set('order', 'desc');
    words.set('limit', String(shownStays));
    this.stays = (await askJson<{ items: StayJson[] }>(`/api/v1/travellers?${words}`, init)).items;
  }
}

function toGroup(windows: readonly WindowJson[], windowSeconds: number): TravellerGroup {
  const { sensor, type } = windows[0]!;
  return {
    sensor,
    type,
    windowSeconds,
    times: windows.map(({ time }) => Date.parse(time) / 1000 + windowSeconds / 2),
    count: windows.map(({ count }) => count),
    minSpeed: windows.map(({ minSpeed }) => minSpeed),
    meanSpeed: windows.map(({ meanSpeed }) => meanSpeed),
    maxSpeed: windows.map(({ maxSpeed }) => maxSpeed),
  };
}

/** The parameters that windows and stays share. */
function wordsOf({ sensor, type, from, to }: TravellersForm): URLSearchParams {
  const words = new URLSearchParams({ from, to });
  if (sensor !== '') words.set('sensor', escapeName(sensor));
  if (type !== '') words.set('type', escapeName(type));
  return words;
}

/** The rows that one InfluxQL statement answers. */
async function query(
  q: string,
  { signal, database }: { signal: AbortSignal; database?: string | undefined },
): Promise<string[][]> {
  const words = new URLSearchParams(database === undefined ? { q } : { db: database, q });
  const { results } = await askJson<InfluxJson>(`/query?${words}`, { signal });
  return results[0]?.series?.[0]?.values ?? [];
}
