import {
  type Alert,
  type AlertFilter,
  type Alerts,
  type AlertTransition,
  type Clock,
  type ExternalAlert,
  type Silence,
  TidemarkError,
} from '@tidemark/core';
import type { Evaluator } from './evaluator.ts';
import type { ExternalAlerts } from './external-alerts.ts';
import { type Actor, alertOf, type Lifecycle } from './lifecycle.ts';
import type { Series } from './series.ts';
import type { Silences } from './silences.ts';
import type { Transitions } from './transitions.ts';

interface AlertDeskOptions {
  clock: Clock;
  evaluator: Evaluator;
  external: ExternalAlerts;
  lifecycle: Lifecycle;
  silences: Silences;
  transitions: Transitions;
  /** Makes what was changed durable. */
  save: () => void;
}

/** The alerts as people and programs see them, and what they do about them. */
export class AlertDesk implements Alerts {
  readonly #options: AlertDeskOptions;

  constructor(options: AlertDeskOptions) {
    this.#options = options;
  }

  *alerts({ withResolved = true } = {}): Iterable<Alert> {
    const { evaluator, external, lifecycle } = this.#options;
    if (!withResolved) return yield* alertsOf(lifecycle.active);
    for (const { series } of evaluator.rules.values()) yield* alertsOf(series.values());
    yield* alertsOf(external.all());
  }

  alert(id: string): Alert | undefined {
    const series = this.#find(id);
    return series && alertOf(series);
  }

  history(filter: AlertFilter & { limit: number; before?: number | undefined }): AlertTransition[] {
    return this.#options.transitions.history(filter);
  }

  transitionsAfter(after: number, limit: number): AlertTransition[] {
    return this.#options.transitions.toldAfter(after, limit);
  }

  get newest(): number {
    return this.#options.transitions.newest;
  }

  waitBeyond(after: number, signal: AbortSignal): Promise<void> {
    return this.#options.transitions.waitBeyond(after, signal);
  }

  acknowledge(id: string, by: Actor): Alert {
    const { lifecycle, save } = this.#options;
    const series = this.#firing(id);
    lifecycle.acknowledged(series, by);
    save();
    return alertOf(series)!;
  }

  resolve(id: string, by: Actor): Alert {
    const { clock, lifecycle, save } = this.#options;
    const series = this.#firing(id);
    // A program that raises it again means to; Grafana repeats itself as long as a condition holds.
    series.phase = series.external?.source === 'program' ? 'ok' : 'dismissed';
    lifecycle.resolved(series, clock.nowNs(), by);
    save();
    return alertOf(series)!;
  }

  take(alerts: readonly ExternalAlert[]): (Alert | TidemarkError | undefined)[] {
    const { lifecycle, save } = this.#options;
    const taken = alerts.map((one) => this.#take(one));
    if (lifecycle.isUrgent) save();
    return taken;
  }

  silences(): Silence[] {
    return this.#options.silences.list();
  }

  silence(silence: Omit<Silence, 'id' | 'createdNs'>): Silence {
    const made = this.#options.silences.add(silence);
    this.#settle();
    return made;
  }

  endSilence(id: string): boolean {
    const isThere = this.#options.silences.end(id);
    this.#settle();
    return isThere;
  }

  #take(told: ExternalAlert): Alert | TidemarkError | undefined {
    try {
      const series = this.#options.external.take(told);
      return series && alertOf(series);
    } catch (error) {
      if (error instanceof TidemarkError) return error;
      throw error;
    }
  }

  #settle(): void {
    const { lifecycle, save } = this.#options;
    for (const series of lifecycle.active) lifecycle.settle(series);
    save();
  }

  #firing(id: string): Series {
    const series = this.#find(id);
    const alert = series && alertOf(series);
    if (series === undefined || alert === undefined)
      throw new TidemarkError('not_found', `there is no alert ${id}`);
    if (series.phase !== 'firing')
      throw new TidemarkError('conflict', `alert ${id} is ${alert.state}, not firing`);
    return series;
  }

  #find(id: string): Series | undefined {
    const { evaluator, external } = this.#options;
    const colon = id.indexOf(':');
    return evaluator.rules.get(id.slice(0, colon))?.series.get(id.slice(colon + 1)) ?? external.get(id);
  }
}

function* alertsOf(series: Iterable<Series>): Iterable<Alert> {
  for (const one of series) {
    const alert = alertOf(one);
    if (alert !== undefined) yield alert;
  }
}
