import { Counter, Gauge, type Registry } from '@tidemark/core';

/** What becomes of derived metrics. */
export class DerivedMetrics {
  readonly points: Counter;
  readonly undefinedValues: Counter;
  readonly storeLookups: Counter;
  readonly refused: Counter;

  constructor(registry: Registry, read: { pending: () => number; series: () => number }) {
    const registers = [registry];
    this.points = new Counter({
      name: 'tidemark_derived_points_total',
      help: 'Values derived and written into the log, those derived anew included',
      registers,
    });
    this.undefinedValues = new Counter({
      name: 'tidemark_derived_undefined_values_total',
      help: 'Expressions of readings that have no finite value, as a division by zero',
      registers,
    });
    this.storeLookups = new Counter({
      name: 'tidemark_derived_store_lookups_total',
      help: 'Sensors whose readings were asked of the store: late ones, and those not in memory',
      registers,
    });
    this.refused = new Counter({
      name: 'tidemark_derived_refused_total',
      help: 'Derived values that are not stored, since their sensor has as many metrics as it may',
      registers,
    });
    new Gauge({
      name: 'tidemark_derived_pending_readings',
      help: 'Readings that wait for the store to say what came before them',
      registers,
      collect() {
        this.set(read.pending());
      },
    });
    new Gauge({
      name: 'tidemark_derived_series',
      help: 'Sensors under each derived rate, counter or speed, whose newest readings are in memory',
      registers,
      collect() {
        this.set(read.series());
      },
    });
  }
}
