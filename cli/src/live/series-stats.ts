import type { Reading } from '@tidemark/client';

/** Series that are told apart; the values of more are only counted. */
const MAX_SERIES = 10_000;
/** What readings a second are counted over. */
const PACE_SECONDS = 10;

/** What has come of one metric of one sensor at one location, since it was first seen here. */
export interface SeriesStats {
  sensor: string;
  location: string | null;
  metric: string;
  /** Values, numbers or not. */
  count: number;
  /** Of the numbers; undefined where none came. */
  mean: number | undefined;
  min: number | undefined;
  max: number | undefined;
  last: number | boolean | string;
  /** Time of the last one. */
  time: string;
  /** Change a second between the first and the last number, by their own times; undefined of fewer than two times. */
  rate: number | undefined;
  /** Values a second over the last ten seconds. */
  perSecond: number;
}

interface Series {
  stats: SeriesStats;
  numbers: number;
  first: { value: number; timeMs: number } | undefined;
  lastMs: number;
  /** Values in each of the last seconds, by the second modulo their number. */
  paces: number[];
  paceSecond: number;
}

/** Statistics of every series, as its readings come. */
export class LiveStats {
  readonly #series = new Map<string, Series>();
  readonly #changed = new Set<Series>();
  readonly #seen = new Set<string>();
  #seenAt = '';
  readonly #nowMs: () => number;
  /** Values of series beyond those that are told apart. */
  uncounted = 0;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  get size(): number {
    return this.#series.size;
  }

  /** Takes a reading; `place` is the id of its event. After a reconnect some of one message come again. */
  add(place: string, { id, sensor, location, time, ...metrics }: Reading): void {
    if (place !== this.#seenAt) this.#seen.clear();
    this.#seenAt = place;
    if (this.#seen.has(id)) return;
    this.#seen.add(id);
    for (const [metric, value] of Object.entries(metrics)) {
      // Booleans come as numbers: this one is the mark of a late reading.
      if (value === null || value === true) continue;
      const series = this.#seriesOf({ sensor, location, metric, last: value, time });
      if (series === undefined) this.uncounted += 1;
      else this.#count(series, value, time);
    }
  }

  /** All series, by sensor, then metric. */
  all(): SeriesStats[] {
    return this.#told(this.#series.values());
  }

  /** Those that changed since the last call. */
  takeChanged(): SeriesStats[] {
    const told = this.#told(this.#changed);
    this.#changed.clear();
    return told;
  }

  #told(series: Iterable<Series>): SeriesStats[] {
    const told = [...series].map((one) => {
      this.#movePace(one);
      const perSecond = one.paces.reduce((sum, count) => sum + count, 0) / PACE_SECONDS;
      return { ...one.stats, perSecond };
    });
    const keyOf = ({ sensor, metric, location }: SeriesStats) => `${sensor}\0${metric}\0${location ?? ''}`;
    return told.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  }

  #seriesOf(
    first: Pick<SeriesStats, 'sensor' | 'location' | 'metric' | 'last' | 'time'>,
  ): Series | undefined {
    const key = JSON.stringify([first.sensor, first.location, first.metric]);
    const known = this.#series.get(key);
    if (known !== undefined || this.#series.size >= MAX_SERIES) return known;
    const unknown = { mean: undefined, min: undefined, max: undefined, rate: undefined };
    const series: Series = {
      stats: { ...first, ...unknown, count: 0, perSecond: 0 },
      numbers: 0,
      first: undefined,
      lastMs: Number.NEGATIVE_INFINITY,
      paces: Array.from({ length: PACE_SECONDS }, () => 0),
      paceSecond: this.#second(),
    };
    this.#series.set(key, series);
    return series;
  }

  #count(series: Series, value: SeriesStats['last'], time: string): void {
    const { stats } = series;
    this.#changed.add(series);
    this.#movePace(series);
    series.paces[series.paceSecond % PACE_SECONDS]! += 1;
    stats.count += 1;
    const timeMs = Date.parse(time);
    const isNewest = timeMs >= series.lastMs;
    if (isNewest) {
      series.lastMs = timeMs;
      stats.last = value;
      stats.time = time;
    }
    if (typeof value !== 'number') return;
    series.numbers += 1;
    stats.mean = (stats.mean ?? 0) + (value - (stats.mean ?? 0)) / series.numbers;
    stats.min = Math.min(stats.min ?? value, value);
    stats.max = Math.max(stats.max ?? value, value);
    if (series.first === undefined || timeMs < series.first.timeMs) series.first = { value, timeMs };
    const seconds = (series.lastMs - series.first.timeMs) / 1000;
    if (isNewest && seconds > 0) stats.rate = (value - series.first.value) / seconds;
  }

  /** Forgets what has come before the last seconds. */
  #movePace(series: Series): void {
    const second = this.#second();
    const passed = Math.min(second - series.paceSecond, PACE_SECONDS);
    for (let back = 0; back < passed; back++) series.paces[(second - back) % PACE_SECONDS] = 0;
    series.paceSecond = Math.max(second, series.paceSecond);
  }

  #second(): number {
    return Math.floor(this.#nowMs() / 1000);
  }
}
