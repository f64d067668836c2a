/** What simulated metrics can be like. */
export const metricKinds = ['temperature', 'humidity', 'pressure', 'co2', 'integer', 'switch'] as const;
export type MetricKind = (typeof metricKinds)[number];

/** One metric of each simulated sensor. */
export interface MetricSpec {
  name: string;
  kind: MetricKind;
}

const daySeconds = 86_400;

interface Curve {
  mean: number;
  /** Half of the swing over a day. */
  swing: number;
  /** Size of the slow wander that makes minutes differ. */
  wander: number;
  noise: number;
  least: number;
  most: number;
  decimals: number;
}

const curves: Record<Exclude<MetricKind, 'integer' | 'switch'>, Curve> = {
  temperature: { mean: 21, swing: 5, wander: 1.2, noise: 0.08, least: -40, most: 60, decimals: 2 },
  humidity: { mean: 52, swing: -12, wander: 3, noise: 0.3, least: 0, most: 100, decimals: 1 },
  pressure: { mean: 1013, swing: 1.5, wander: 2.5, noise: 0.05, least: 900, most: 1100, decimals: 2 },
  co2: { mean: 620, swing: 140, wander: 60, noise: 6, least: 400, most: 5000, decimals: 0 },
};

/** A source of numbers in [0, 1). */
export type Random = () => number;

/** A pseudo-random sequence that depends on the seed alone (32-bit state, Weyl step and mix: mulberry32). */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The values of one metric of one sensor, in order: the same seed and names give the same values. */
export class MetricModel {
  readonly #kind: MetricKind;
  readonly #random: Random;
  readonly #phase: number;
  readonly #offset: number;
  #drift = 0;

  constructor({ seed, sensor, metric }: { seed: number; sensor: string; metric: MetricSpec }) {
    this.#kind = metric.kind;
    this.#random = createRandom(hash(`${seed}/${sensor}/${metric.name}`));
    this.#phase = this.#random();
    this.#offset = this.#random() - 0.5;
  }

  /** The value `elapsedS` seconds after the first. */
  next(elapsedS: number): number | boolean {
    if (this.#kind === 'integer') return Math.floor(this.#random() * 101);
    if (this.#kind === 'switch') return wave(elapsedS, 90, this.#phase) > 0;
    const curve = curves[this.#kind];
    this.#drift = 0.9 * this.#drift + curve.noise * (this.#random() - 0.5) * 2;
    const value =
      curve.mean +
      curve.swing * (wave(elapsedS, daySeconds, this.#phase) + 0.3 * this.#offset) +
      curve.wander * (0.6 * wave(elapsedS, 173, this.#phase) + 0.4 * wave(elapsedS, 47, this.#offset)) +
      this.#drift;
    const scale = 10 ** curve.decimals;
    return Math.round(Math.min(curve.most, Math.max(curve.least, value)) * scale) / scale;
  }
}

function wave(elapsedS: number, periodS: number, phase: number): number {
  return Math.sin(2 * Math.PI * (elapsedS / periodS + phase));
}

/** FNV-1a, 32 bits: http://www.isthe.com/chongo/tech/comp/fnv/ */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) value = Math.imul(value ^ byte, 0x01000193);
  return value >>> 0;
}
