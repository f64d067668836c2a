/** What the checks remember of a sensor from one reading to the next. */
export interface SensorState {
  /** Told apart from every other by it, in less room than by its id. */
  readonly number: number;
  /** When the last reading came, on the monotonic clock. */
  seenAtMs: number;
  /** The newest time of its readings, in ms since 1970. */
  newestMs: number;
  /** True from when it told of its own end until it reports again. */
  isDead: boolean;
  /** Readings that were checked since somebody last took the count. */
  readings: number;
  /** For the metrics that are checked against their value before. */
  series: Map<string, SeriesState> | undefined;
}

export interface SeriesState {
  value: number;
  timeMs: number;
  /** Since when it has had this value. */
  sinceMs: number;
  /** False where it may have had the value before it was first seen. */
  isSinceKnown: boolean;
}

/**
 * The sensors that reported last. Bounded: sensors stand in the younger of two generations as they report; when
 * that holds half of what may be kept, it becomes the older one, and what is left of the older one is forgotten.
 */
export class SensorStates {
  readonly #maxPerGeneration: number;
  readonly #onForgotten: (sensors: number) => void;
  #young = new Map<string, SensorState>();
  #old = new Map<string, SensorState>();
  #given = 0;

  constructor(options: { maxSensors: number; onForgotten: (sensors: number) => void }) {
    this.#maxPerGeneration = Math.ceil(options.maxSensors / 2);
    this.#onForgotten = options.onForgotten;
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }

  get isFull(): boolean {
    return this.#young.size >= this.#maxPerGeneration;
  }

  /** The sensor's state, new when it is not remembered. */
  of(sensor: string): SensorState {
    const young = this.#young.get(sensor);
    if (young) return young;
    const old = this.#old.get(sensor);
    if (old) this.#old.delete(sensor);
    const state = old ?? {
      number: ++this.#given,
      seenAtMs: Number.NEGATIVE_INFINITY,
      newestMs: Number.NEGATIVE_INFINITY,
      isDead: false,
      readings: 0,
      series: undefined,
    };
    if (this.#young.size >= this.#maxPerGeneration) this.#age();
    this.#young.set(sensor, state);
    return state;
  }

  /** The sensor's state where it is remembered. */
  find(sensor: string): SensorState | undefined {
    return this.#young.get(sensor) ?? this.#old.get(sensor);
  }

  /** How many readings of the sensor were checked since the last call. */
  takeReadings(sensor: string): number {
    const state = this.find(sensor);
    if (state === undefined) return 0;
    const { readings } = state;
    state.readings = 0;
    return readings;
  }

  #age(): void {
    if (this.#old.size > 0) this.#onForgotten(this.#old.size);
    this.#old = this.#young;
    this.#young = new Map();
  }
}
