/** Span that charts of live data show. */
export const SPAN_MS = 5 * 60 * 1000;
/** Points kept for one chart; about one for each pixel of it. */
export const MAX_POINTS = 600;
const leastSpanMs = 60 * 1000;
const minStepMs = SPAN_MS / MAX_POINTS;

/**
 * The newest numbers of one metric, by time, as two columns for a chart. Bounded: points closer than a
 * pixel replace each other, and the oldest go first.
 */
export class Series {
  readonly timesMs: number[] = [];
  readonly values: number[] = [];

  get length(): number {
    return this.timesMs.length;
  }

  get lastMs(): number {
    return this.timesMs.at(-1) ?? Number.NEGATIVE_INFINITY;
  }

  /** Takes one point; a late one goes to its place. */
  add(timeMs: number, value: number): void {
    let at = this.timesMs.length;
    while (at > 0 && this.timesMs[at - 1]! > timeMs) at -= 1;
    if (at === this.timesMs.length && timeMs - this.lastMs < minStepMs) {
      // The time stays the first one of its pixel; otherwise a fast sensor would push one point along.
      this.values[at - 1] = value;
      return;
    }
    this.timesMs.splice(at, 0, timeMs);
    this.values.splice(at, 0, value);
    if (this.timesMs.length > MAX_POINTS) {
      this.timesMs.shift();
      this.values.shift();
    }
  }

  /** Puts history before what has arrived live meanwhile. */
  addHistory(points: readonly (readonly [timeMs: number, value: number])[]): void {
    const live = this.timesMs.map((timeMs, index) => [timeMs, this.values[index]!] as const);
    const firstLiveMs = live[0]?.[0] ?? Number.POSITIVE_INFINITY;
    this.timesMs.length = 0;
    this.values.length = 0;
    for (const [timeMs, value] of points) if (timeMs < firstLiveMs) this.add(timeMs, value);
    for (const [timeMs, value] of live) this.add(timeMs, value);
  }
}

/** The times a chart shows: the last minutes while data is fresh, else all that is there. */
export function chartRange(series: Series, nowMs: number): { fromMs: number; toMs: number } {
  if (series.length === 0 || Math.abs(nowMs - series.lastMs) < SPAN_MS) {
    // A sensor that has just begun fills its chart at once instead of clinging to the edge.
    const firstMs = Math.min(series.timesMs[0] ?? nowMs, nowMs - leastSpanMs);
    return { fromMs: Math.max(firstMs, nowMs - SPAN_MS), toMs: Math.max(nowMs, series.lastMs) };
  }
  const fromMs = series.timesMs[0]!;
  const toMs = series.lastMs;
  return toMs > fromMs ? { fromMs, toMs } : { fromMs: toMs - SPAN_MS, toMs };
}
