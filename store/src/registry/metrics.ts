import { Counter, Gauge, type Registry } from '@tidemark/core';

/** What the registry tells Prometheus; never by sensor. */
export class RegistryMetrics {
  readonly selfRegistered: Counter;
  readonly limited: Counter<'limit'>;

  constructor(registry: Registry, read: { sensors: () => number; locations: () => number }) {
    const registers = [registry];
    this.selfRegistered = new Counter({
      name: 'tidemark_registry_self_registered_total',
      help: 'Sensors that registered themselves with their first reading',
      registers,
    });
    this.limited = new Counter({
      name: 'tidemark_registry_limited_total',
      help: 'Registrations refused, by the limit that was reached',
      labelNames: ['limit'],
      registers,
    });
    new Gauge({
      name: 'tidemark_registry_sensors',
      help: 'Sensors that are registered',
      registers,
      collect() {
        this.set(read.sensors());
      },
    });
    new Gauge({
      name: 'tidemark_registry_locations',
      help: 'Locations that are registered',
      registers,
      collect() {
        this.set(read.locations());
      },
    });
  }
}
