import { type Clock, NS_PER_MS, type Window } from '@tidemark/core';
import type { Engine } from '@tidemark/store';
import type { Spool } from '../spool/spool.ts';
import type { ReadingChecks, UnsureRun } from './reading-checks.ts';

/** Metrics of sensors that one look asks the store about, and that one question names. */
const MAX_RUNS_A_LOOK = 2000;
const MAX_RUNS_A_QUESTION = 500;
/** Windows of the time that a value may stay the same: since when it is so is known as exactly. */
const WINDOWS = 8;

interface EarlierValuesOptions {
  engine: Pick<Engine, 'latest' | 'windows'>;
  spool: Pick<Spool, 'cursor' | 'endOffset'>;
  clock: Clock;
  checks: ReadingChecks;
  /** A value turned out to have been the same for too long; `ageMs` is how old its last reading is. */
  onStuck: (sensor: string, ageMs: number) => void;
}

/** What the store knows of the metrics that are compared with their value before: from before a restart, most often. */
export class EarlierValues {
  readonly #options: EarlierValuesOptions;
  #asked: { runs: readonly UnsureRun[]; upToOffset: number } | undefined;

  constructor(options: EarlierValuesOptions) {
    this.#options = options;
  }

  /** Takes up the newest value of each such metric. Rejects when the store does not answer. */
  async takeUp(): Promise<void> {
    const { engine, checks } = this.#options;
    const metrics = checks.comparedMetrics;
    if (metrics.length === 0) return;
    for (const { sensor, metric, value, timeNs } of await engine.latest({ metrics }))
      if (typeof value === 'number') checks.remember({ sensor, metric, value, timeMs: Number(timeNs) / 1e6 });
  }

  /** Finds out since when values are the same that were so since they were first seen. Rejects likewise. */
  async look(): Promise<void> {
    const { spool, checks } = this.#options;
    this.#asked ??= { runs: checks.takeUnsureRuns(MAX_RUNS_A_LOOK), upToOffset: spool.endOffset };
    const { runs, upToOffset } = this.#asked;
    // A store that is behind would take an older run for the one that goes on.
    if (runs.length > 0 && spool.cursor('store') < upToOffset) return;
    for (const [metric, ofMetric] of Map.groupBy(runs, (run) => run.metric))
      for (let at = 0; at < ofMetric.length; at += MAX_RUNS_A_QUESTION)
        await this.#ask(metric, ofMetric.slice(at, at + MAX_RUNS_A_QUESTION));
    this.#asked = undefined;
  }

  async #ask(metric: string, runs: readonly UnsureRun[]): Promise<void> {
    const { engine, clock } = this.#options;
    const { stuckMs } = runs[0]!;
    const toNs = clock.nowNs();
    const everyMs = Math.ceil(stuckMs / WINDOWS);
    const windows = await engine.windows({
      sensors: runs.map(({ sensor }) => sensor),
      metrics: [metric],
      fromNs: toNs - 2n * BigInt(Math.ceil(stuckMs)) * NS_PER_MS,
      toNs,
      everyNs: BigInt(everyMs) * NS_PER_MS,
      timeZone: undefined,
      functions: ['min', 'max'],
      by: ['sensor'],
      fill: 'none',
    });
    const bySensor = Map.groupBy(windows, ({ sensor }) => sensor);
    for (const run of runs) {
      const startMs = startOfRun(bySensor.get(run.sensor) ?? [], run.series.value);
      this.#settle(run, startMs === undefined ? undefined : startMs + everyMs);
    }
  }

  #settle({ sensor, stuckMs, series }: UnsureRun, sinceMs: number | undefined): void {
    // It has changed meanwhile.
    if (series.isSinceKnown) return;
    series.isSinceKnown = true;
    if (sinceMs === undefined || sinceMs >= series.sinceMs) return;
    const wasStuck = series.timeMs - series.sinceMs > stuckMs;
    series.sinceMs = sinceMs;
    const isStuck = series.timeMs - sinceMs > stuckMs;
    if (isStuck && !wasStuck)
      this.#options.onStuck(sensor, Number(this.#options.clock.nowNs()) / 1e6 - series.timeMs);
  }
}

/** Start of the first of the last windows that hold nothing but the value; undefined when there is none. */
function startOfRun(windows: readonly Window[], value: number): number | undefined {
  let start: bigint | undefined;
  for (const { timeNs, values } of windows.toReversed()) {
    if (values.get('min') !== value || values.get('max') !== value) break;
    start = timeNs;
  }
  return start === undefined ? undefined : Number(start / NS_PER_MS);
}
