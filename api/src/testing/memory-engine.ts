import {
  type Point,
  pointToReading,
  READINGS,
  type Reading,
  readingId,
  type Window,
  type WindowFunction,
} from '@tidemark/core';
import type { Engine, LatestValue, ReadingFilter, ReadingsQuery, WindowsQuery } from '@tidemark/store';

/** Readings in a map; windows know count, sum, min, max and mean, and leave no gaps to fill. */
export class MemoryEngine implements Engine {
  readonly #readings = new Map<string, Reading>();
  lastWindows: WindowsQuery | undefined;

  async start() {}
  async stop() {}
  async sync() {}

  async write(points: readonly Point[]) {
    for (const point of points) {
      if (point.measurement !== READINGS) continue;
      const reading = pointToReading(point);
      const id = readingId(reading.sensor, reading.timeNs);
      const values = new Map([...(this.#readings.get(id)?.values ?? []), ...reading.values]);
      this.#readings.set(id, { ...reading, values: [...values] });
    }
    return [];
  }

  async readings(query: ReadingsQuery): Promise<Reading[]> {
    const { order, limit, after } = query;
    const sign = order === 'asc' ? 1 : -1;
    return this.#select(query)
      .sort((a, b) => sign * compare(a, b))
      .filter((reading) => after === undefined || sign * compare(reading, after) > 0)
      .slice(0, limit);
  }

  async latest(filter: ReadingFilter): Promise<LatestValue[]> {
    const newest = new Map<string, LatestValue>();
    for (const { sensor, location, timeNs, values } of this.#select(filter).sort(compare)) {
      for (const [metric, value] of values)
        newest.set(`${sensor}/${metric}`, { sensor, location, metric, value, timeNs });
    }
    return [...newest.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, value]) => value);
  }

  async windows(query: WindowsQuery): Promise<Window[]> {
    this.lastWindows = query;
    const { everyNs, by, functions } = query;
    const groups = new Map<string, { window: Omit<Window, 'values'>; values: number[] }>();
    for (const { sensor, location, timeNs, values } of this.#select(query)) {
      const tags = {
        ...(by.includes('sensor') && { sensor }),
        ...(by.includes('location') && { location: location ?? null }),
      };
      for (const [metric, value] of values) {
        if (typeof value === 'string') continue;
        const window = { timeNs: timeNs - (timeNs % everyNs), metric, ...tags };
        const key = JSON.stringify([metric, tags, String(window.timeNs).padStart(20, '0')]);
        const group = groups.get(key) ?? { window, values: [] };
        groups.set(key, group);
        group.values.push(Number(value));
      }
    }
    return [...groups.entries()]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, { window, values }]) => ({
        ...window,
        values: new Map(functions.map((fn) => [fn, aggregate(fn, values)])),
      }));
  }

  async fields() {
    return [];
  }

  async status() {
    return { isHealthy: true, message: 'in memory' };
  }

  #select({
    sensors = [],
    locations = [],
    metrics = [],
    ...range
  }: ReadingFilter & { fromNs?: bigint; toNs?: bigint }): Reading[] {
    return [...this.#readings.values()]
      .filter(({ sensor, location, timeNs }) => {
        if (sensors.length > 0 && !sensors.includes(sensor)) return false;
        if (locations.length > 0 && !locations.includes(location ?? '')) return false;
        return timeNs >= (range.fromNs ?? timeNs) && timeNs < (range.toNs ?? timeNs + 1n);
      })
      .map((reading) => ({
        ...reading,
        values: reading.values.filter(([metric]) => metrics.length === 0 || metrics.includes(metric)),
      }))
      .filter(({ values }) => values.length > 0);
  }
}

function compare(a: { timeNs: bigint; sensor: string }, b: { timeNs: bigint; sensor: string }): number {
  if (a.timeNs !== b.timeNs) return a.timeNs < b.timeNs ? -1 : 1;
  if (a.sensor === b.sensor) return 0;
  return a.sensor < b.sensor ? -1 : 1;
}

function aggregate(fn: WindowFunction, values: readonly number[]): number | null {
  const sum = values.reduce((total, value) => total + value, 0);
  switch (fn) {
    case 'count':
      return values.length;
    case 'sum':
      return sum;
    case 'mean':
      return sum / values.length;
    case 'min':
      return Math.min(...values);
    case 'max':
      return Math.max(...values);
    default:
      return null;
  }
}
