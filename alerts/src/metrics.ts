import { type AlertState, alertStates, Counter, Gauge, type Registry } from '@tidemark/core';

interface Figures {
  rules: () => number;
  series: () => number;
  /** States of the alerts that are not resolved. */
  active: () => Iterable<AlertState>;
}

export class AlertMetrics {
  readonly late: Counter;
  readonly excess: Counter;
  readonly transitions: Counter<'state'>;

  constructor(registry: Registry, figures: Figures) {
    const registers = [registry];
    this.late = new Counter({
      name: 'tidemark_alerts_late_readings_total',
      help: 'Readings older than one that a rule had evaluated before: they change no alert',
      registers,
    });
    this.excess = new Counter({
      name: 'tidemark_alerts_excess_series_total',
      help: 'Times that a sensor was not evaluated under a rule, since alerts.maxSeries was reached',
      registers,
    });
    this.transitions = new Counter({
      name: 'tidemark_alerts_transitions_total',
      help: 'Changes of the state of alerts, by the new state',
      labelNames: ['state'],
      registers,
    });
    for (const [name, help, value] of [
      ['tidemark_alerts_rules', 'Rules', figures.rules],
      ['tidemark_alerts_series', 'Sensors under all rules together', figures.series],
    ] as const) {
      new Gauge({
        name,
        help,
        registers,
        collect() {
          this.set(value());
        },
      });
    }
    const states = alertStates.filter((state) => state !== 'resolved');
    new Gauge({
      name: 'tidemark_alerts_active',
      help: 'Alerts that are not resolved, by state',
      labelNames: ['state'],
      registers,
      collect() {
        for (const state of states) this.set({ state }, 0);
        for (const state of figures.active()) if (state !== 'resolved') this.inc({ state });
      },
    });
  }
}
