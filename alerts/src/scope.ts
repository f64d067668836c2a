import {
  createPattern,
  knownLocation,
  type NameMatcher,
  type Rule,
  type Sensor,
  type SensorDirectory,
} from '@tidemark/core';

/** Places nest; a circle of them must not hold anybody up. */
const MAX_DEPTH = 100;

/** Which sensors a rule is about. */
export class Scope {
  readonly #patterns: readonly NameMatcher[] | undefined;
  readonly #location: string | undefined;
  readonly #labels: readonly (readonly [string, string])[];
  readonly #directory: SensorDirectory;

  constructor(rule: Pick<Rule, 'sensors' | 'location' | 'labels'>, directory: SensorDirectory) {
    this.#patterns = rule.sensors?.map(createPattern);
    this.#location = rule.location;
    this.#labels = Object.entries(rule.labels ?? {});
    this.#directory = directory;
  }

  /** True when the rule is about the sensor while it is at `location`. */
  holds(id: string, sensor: Sensor | undefined, location: string | undefined): boolean {
    if (this.#patterns !== undefined && !this.#patterns.some((matches) => matches(id))) return false;
    if (!this.#labels.every(([key, value]) => sensor?.labels[key] === value)) return false;
    return this.#location === undefined || this.#isWithin(location);
  }

  /** True when the rule is about a registered sensor, as it is now. */
  holdsNow(sensor: Sensor, nowNs: bigint): boolean {
    return this.holds(sensor.id, sensor, knownLocation(sensor, nowNs));
  }

  #isWithin(location: string | undefined): boolean {
    let place = location;
    for (let depth = 0; place !== undefined && depth < MAX_DEPTH; depth++) {
      if (place === this.#location) return true;
      place = this.#directory.location(place)?.parent;
    }
    return false;
  }
}
