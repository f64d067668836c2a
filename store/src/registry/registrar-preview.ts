import type { Clock, Config, Location, Sensor, SensorRegistrar } from '@tidemark/core';
import type { SensorRegistry } from './registry.ts';
import { selfRegistered, withMetric, withReportedLocation } from './self-registered.ts';

interface PreviewOptions {
  registry: SensorRegistry;
  limits: Config['registry'];
  clock: Clock;
}

/** Answers as the registry would now, for one message, and registers nothing. */
export class RegistrarPreview implements SensorRegistrar {
  readonly changes = 0;
  readonly #options: PreviewOptions;
  /** As they would be. */
  readonly #sensors = new Map<string, Sensor>();

  constructor(options: PreviewOptions) {
    this.#options = options;
  }

  get renamedIds(): ReadonlyMap<string, string> {
    return this.#options.registry.renamedIds;
  }

  sensor(id: string): Sensor | undefined {
    const known = this.#options.registry.sensor(id);
    return this.#sensors.get(known?.id ?? id) ?? known;
  }

  sensors(): Iterable<Sensor> {
    return this.#options.registry.sensors();
  }

  location(id: string): Location | undefined {
    return this.#options.registry.location(id);
  }

  register(id: string, location: string | undefined, metrics: readonly string[]): Sensor | undefined {
    const { registry, limits, clock } = this.#options;
    if (registry.limitReached() !== undefined) return undefined;
    const sensor = selfRegistered(id, metrics, { ...limits, nowNs: clock.nowNs() });
    return this.#note(location === undefined ? sensor : withReportedLocation(sensor, location));
  }

  reportLocation({ id }: Sensor, location: string): Sensor {
    return this.#note(withReportedLocation(this.sensor(id)!, location));
  }

  reportMetric({ id }: Sensor, metric: string): Sensor | undefined {
    const sensor = this.sensor(id)!;
    if (metric in sensor.metrics) return sensor;
    const learned = withMetric(sensor, metric, this.#options.limits);
    return learned && this.#note(learned);
  }

  #note(sensor: Sensor): Sensor {
    this.#sensors.set(sensor.id, sensor);
    return sensor;
  }
}
