import { Series } from './series.ts';

/** Sensors the page keeps; the API is the place for more. */
export const MAX_SENSORS = 2000;
/** Metrics it keeps of one sensor. */
const maxMetrics = 64;
/** Colors that lines are told apart by. */
const COLORS = 6;

export type MetricValue = number | boolean | string;

export interface MetricState {
  name: string;
  value: MetricValue;
  timeMs: number;
  series: Series;
  /** The same for one name on every card. */
  color: number;
}

export interface SensorState {
  id: string;
  location: string | null;
  lastMs: number;
  metrics: Map<string, MetricState>;
  /** True once its history was asked for. */
  hasHistory: boolean;
}

/** A flat reading of the API. */
export interface ReadingJson {
  id: string;
  sensor: string;
  location: string | null;
  time: string;
  [metric: string]: unknown;
}

/** The order of names to read: `node-9` before `node-10`. */
export const names = new Intl.Collator('en', { numeric: true });

/** What the page knows of the sensors. */
export class Sensors {
  readonly #sensors = new Map<string, SensorState>();
  readonly #colors = new Map<string, number>();
  #sorted: SensorState[] | undefined;

  get count(): number {
    return this.#sensors.size;
  }

  /** All of them by name, `sensor-2` before `sensor-10`. */
  sorted(): readonly SensorState[] {
    this.#sorted ??= [...this.#sensors.values()].sort((a, b) => names.compare(a.id, b.id));
    return this.#sorted;
  }

  /** Takes a reading as it comes live. */
  addReading({ id: _id, sensor, location, time, ...metrics }: ReadingJson): void {
    const timeMs = Date.parse(time);
    for (const [metric, value] of Object.entries(metrics)) {
      if (!isValue(value)) continue;
      this.setLatest(sensor, location, metric, value, timeMs);
      if (typeof value === 'number') this.get(sensor)?.metrics.get(metric)?.series.add(timeMs, value);
    }
  }

  /** Takes the newest value of a metric; an older one changes nothing. */
  setLatest(id: string, location: string | null, name: string, value: MetricValue, timeMs: number): void {
    const sensor = this.#sensors.get(id) ?? this.#add(id, location);
    if (sensor === undefined) return;
    sensor.location = location ?? sensor.location;
    sensor.lastMs = Math.max(sensor.lastMs, timeMs);
    const metric = sensor.metrics.get(name);
    if (metric === undefined) {
      if (sensor.metrics.size < maxMetrics) {
        sensor.metrics.set(name, { name, value, timeMs, series: new Series(), color: this.#colorOf(name) });
      }
    } else if (timeMs >= metric.timeMs) {
      metric.value = value;
      metric.timeMs = timeMs;
    }
  }

  get(id: string): SensorState | undefined {
    return this.#sensors.get(id);
  }

  #colorOf(name: string): number {
    const known = this.#colors.get(name);
    if (known !== undefined) return known;
    const color = this.#colors.size % COLORS;
    if (this.#colors.size < MAX_SENSORS) this.#colors.set(name, color);
    return color;
  }

  #add(id: string, location: string | null): SensorState | undefined {
    if (this.#sensors.size >= MAX_SENSORS) return undefined;
    const sensor = {
      id,
      location,
      lastMs: Number.NEGATIVE_INFINITY,
      metrics: new Map(),
      hasHistory: false,
    };
    this.#sensors.set(id, sensor);
    this.#sorted = undefined;
    return sensor;
  }
}

/** A sensor's metrics by name. */
export function sortedMetrics({ metrics }: SensorState): MetricState[] {
  return [...metrics.values()].sort((a, b) => names.compare(a.name, b.name));
}

/** True when a sensor's name, place or one of its metrics holds the text. */
export function matchesFilter(sensor: SensorState, text: string): boolean {
  const wanted = text.trim().toLowerCase();
  if (wanted === '') return true;
  return [sensor.id, sensor.location ?? '', ...sensor.metrics.keys()].some((name) =>
    name.toLowerCase().includes(wanted),
  );
}

function isValue(value: unknown): value is MetricValue {
  return typeof value === 'number' || typeof value === 'boolean' || typeof value === 'string';
}
