import { Counter, Gauge, type Registry } from '@tidemark/core';

interface Figures {
  rules: () => number;
  series: () => number;
  active: () => number;
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
      ['tidemark_alerts_active', 'Alerts that are pending, firing, acknowledged or silenced', figures.active],
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
  }
}
