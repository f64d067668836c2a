import { Counter, Gauge, type QualityCheck, qualityChecks, type Registry } from '@tidemark/core';

/** What the checks tell Prometheus: by check, never by sensor. */
export class QualityMetrics {
  readonly evictedCounts: Counter;
  readonly forgottenSensors: Counter;
  // Plain numbers, told when Prometheus asks: every reading may fail.
  readonly #failures = new Map<QualityCheck, number>(qualityChecks.map((check) => [check, 0]));

  constructor(registry: Registry, read: { openIncidents: () => number; trackedSensors: () => number }) {
    const registers = [registry];
    const failures = this.#failures;
    new Counter({
      name: 'tidemark_quality_failures_total',
      help: 'Readings, or their absence, that failed a check',
      labelNames: ['check'],
      registers,
      collect() {
        this.reset();
        for (const [check, count] of failures) this.inc({ check }, count);
      },
    });
    this.evictedCounts = new Counter({
      name: 'tidemark_quality_counts_evicted_total',
      help: 'Counts of a minute that the API no longer answers; the store has them',
      registers,
    });
    this.forgottenSensors = new Counter({
      name: 'tidemark_quality_forgotten_sensors_total',
      help: 'Sensors whose last readings were forgotten to keep the memory bounded',
      registers,
    });
    new Gauge({
      name: 'tidemark_quality_tracked_sensors',
      help: 'Sensors whose last readings are remembered',
      registers,
      collect() {
        this.set(read.trackedSensors());
      },
    });
    new Gauge({
      name: 'tidemark_quality_open_incidents',
      help: 'Sensors that failed often and have not recovered',
      registers,
      collect() {
        this.set(read.openIncidents());
      },
    });
  }

  count(check: QualityCheck, times: number): void {
    this.#failures.set(check, this.#failures.get(check)! + times);
  }
}
