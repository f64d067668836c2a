import type { Clock, Sensor, SensorDirectory } from '@tidemark/core';
import type { Evaluator } from './evaluator.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { ActiveRule, Series } from './series.ts';

/** Sensors looked at in one turn of the event loop. */
const CHUNK = 500;
/** A time of silence is saved in steps of a tenth of what a rule allows: rows are few, and a restart costs no more. */
const SAVED_SHARE = 0.1;

interface WatchOptions {
  clock: Clock;
  directory: SensorDirectory;
  evaluator: Evaluator;
  lifecycle: Lifecycle;
}

/**
 * What the clock decides: who is absent, whose failures are over, who is silenced, and which alerts have lost their
 * sensor. Absence is measured against the registry, on a clock that runs while the platform does: time in which it
 * stood still is nobody's silence, and a sensor that never comes back after a restart is missed all the same.
 */
export class Watch {
  readonly #options: WatchOptions;
  /** When each series of a rule about absence was saved last, by the run clock's time that was saved. */
  readonly #savedMs = new WeakMap<Series, number>();

  /** Series whose sensors were found registered in this run. */
  readonly #registered = new WeakSet<Series>();

  constructor(options: WatchOptions) {
    this.#options = options;
  }

  /** Takes over a series of the last run: what was heard since it was saved last counts, as far as it may have been. */
  takeUp(series: Series, ranMs: number): void {
    const { condition } = series.rule.rule;
    if (condition.kind !== 'absent') return;
    // What is added here is never saved: else a platform that restarts often would put a silence off for ever.
    this.#savedMs.set(series, series.seenRanMs);
    series.seenRanMs = Math.min(ranMs, series.seenRanMs + condition.afterMs * SAVED_SHARE);
  }

  /** Finds the series of all registered sensors that a rule about absence is about, and ends alerts of those gone. */
  async reconcile(ranMs: number): Promise<void> {
    const { directory, evaluator } = this.#options;
    const rules = [...evaluator.rules.values()].filter(
      ({ rule }) => rule.isEnabled && rule.condition.kind === 'absent',
    );
    let left = CHUNK;
    if (rules.length > 0)
      for (const sensor of directory.sensors()) {
        for (const rule of rules) this.#expect(rule, sensor, ranMs);
        if (left-- > 0) continue;
        left = CHUNK;
        await new Promise(setImmediate);
      }
    for (const series of [...this.#options.lifecycle.active]) this.#dropIfGone(series);
    for (const { series } of rules) for (const one of [...series.values()]) this.#dropIfGone(one);
  }

  /** Looks at what only time changes; `ranMs` is when everything accepted was last evaluated. */
  look(ranMs: number): void {
    const { evaluator, lifecycle } = this.#options;
    for (const active of evaluator.rules.values()) {
      if (active.rule.condition.kind !== 'absent' || !active.rule.isEnabled) continue;
      for (const series of active.series.values())
        this.#lookForAbsence(series, active.rule.condition.afterMs, ranMs);
    }
    for (const series of [...lifecycle.active]) {
      const { condition } = series.rule.rule;
      if (condition.kind === 'quality' && ranMs - series.seenRanMs > condition.withinMs) this.#end(series);
      else lifecycle.settle(series);
    }
  }

  #lookForAbsence(series: Series, afterMs: number, ranMs: number): void {
    const { clock, lifecycle } = this.#options;
    if (series.phase !== 'ok') return;
    const silentMs = ranMs - series.seenRanMs;
    if (silentMs >= afterMs) {
      const nowNs = clock.nowNs();
      series.phase = 'firing';
      series.sinceMs = Number(nowNs / 1_000_000n) - silentMs;
      lifecycle.fired(series, nowNs, false);
    } else if (
      series.seenRanMs - (this.#savedMs.get(series) ?? Number.NEGATIVE_INFINITY) >
      afterMs * SAVED_SHARE
    ) {
      this.#savedMs.set(series, series.seenRanMs);
      lifecycle.changed(series);
    }
  }

  #end(series: Series): void {
    const { clock, lifecycle } = this.#options;
    const wasFiring = series.phase === 'firing';
    series.phase = 'ok';
    if (wasFiring) lifecycle.resolved(series, clock.nowNs());
    else lifecycle.changed(series);
  }

  #expect(rule: ActiveRule, sensor: Sensor, ranMs: number): void {
    const { clock, evaluator } = this.#options;
    if (rule.series.has(sensor.id) || !this.#isExpected(rule, sensor, clock.nowNs())) return;
    evaluator.seriesOf(rule, sensor.id, ranMs);
  }

  #isExpected({ rule, scope }: ActiveRule, sensor: Sensor, nowNs: bigint): boolean {
    if (sensor.state === 'retired' || !scope.holdsNow(sensor, nowNs)) return false;
    return rule.metric === undefined || rule.metric in sensor.metrics;
  }

  #dropIfGone(series: Series): void {
    // Whose alert it is says when it ends.
    if (series.external !== undefined) return;
    const { clock, directory, evaluator, lifecycle } = this.#options;
    const sensor = directory.sensor(series.sensor);
    const { scope } = series.rule;
    // One that registered itself in the last second before a crash is unknown until it reports again.
    if (sensor !== undefined) this.#registered.add(series);
    else if (!this.#registered.has(series)) return;
    const reason =
      sensor === undefined
        ? 'the sensor was deleted'
        : sensor.id !== series.sensor
          ? `the sensor is ${sensor.id} now`
          : sensor.state === 'retired'
            ? 'the sensor is retired'
            : scope.holdsNow(sensor, clock.nowNs())
              ? undefined
              : 'the rule is no longer about the sensor';
    if (reason === undefined) return;
    lifecycle.dropped(series, reason, false);
    evaluator.forget(series);
  }
}
