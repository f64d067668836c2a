import { NS_PER_SECOND } from '@tidemark/core';
import { createRandom, type Random } from '../sensor-model.ts';

/** A position as a camera tells it. */
export interface CrowdPosition {
  camera: string;
  traveller: string;
  type: TravellerType;
  /** In metres. */
  x: number;
  y: number;
  timeNs: bigint;
}

type TravellerType = 'pedestrian' | 'cyclist' | 'car';

interface CrowdOptions {
  cameras: number;
  travellersPerHour: number;
  /** Time between two pictures of a camera. */
  frameMs: number;
  seed: number;
  startNs: bigint;
}

/** Share of all travellers, and speed in metres a second: the usual, and how far from it they are. */
const kinds: readonly { type: TravellerType; share: number; speed: number; spread: number }[] = [
  { type: 'pedestrian', share: 0.55, speed: 1.35, spread: 0.45 },
  { type: 'cyclist', share: 0.2, speed: 4.6, spread: 1.6 },
  { type: 'car', share: 0.25, speed: 11, spread: 4 },
];
/** What a camera sees: a street of so many metres, on which y is the side. */
const RANGE_METRES = 40;
const WIDTH_METRES = 9;
/** Between two cameras. */
const BLOCK_METRES = 120;
const MOST_CAMERAS_OF_ONE = 3;

interface Walker {
  traveller: string;
  type: TravellerType;
  speed: number;
  camera: number;
  x: number;
  y: number;
  direction: 1 | -1;
  camerasLeft: number;
}

/** People, cyclists and cars that pass cameras, picture by picture: the same seed and start give the same crowd. */
export class Crowd {
  readonly #options: CrowdOptions;
  readonly #random: Random;
  #walkers: Walker[] = [];
  /** Those between two cameras, by the picture in which they come to the next. */
  readonly #away = new Map<number, Walker[]>();
  #frame = 0;
  #travellers = 0;
  /** Begins the ids, so that two runs within an hour are not the same people, who went away and came back. */
  readonly #run: string;

  constructor(options: CrowdOptions) {
    this.#options = options;
    this.#random = createRandom(options.seed);
    this.#run = (options.startNs / NS_PER_SECOND).toString(36);
  }

  /** What all cameras see in their next picture; each takes its own at an instant of its own. */
  next(): CrowdPosition[] {
    const { frameMs, travellersPerHour } = this.#options;
    const arriving = (travellersPerHour * (this.#frame + 1) * frameMs) / 3_600_000;
    while (this.#travellers < Math.floor(arriving)) this.#walkers.push(this.#arrive());
    this.#walkers.push(...(this.#away.get(this.#frame) ?? []));
    this.#away.delete(this.#frame);
    const seen = this.#walkers.map((walker) => this.#see(walker));
    this.#walkers = this.#walkers.filter((walker) => this.#move(walker));
    this.#frame++;
    return seen;
  }

  #arrive(): Walker {
    const random = this.#random;
    const kind = kindOf(random());
    const direction = random() < 0.5 ? 1 : -1;
    return {
      traveller: `${this.#run}-${++this.#travellers}`,
      type: kind.type,
      speed: kind.speed + (random() + random() - 1) * kind.spread,
      camera: Math.floor(random() * this.#options.cameras),
      x: direction === 1 ? 0 : RANGE_METRES,
      y: random() * WIDTH_METRES,
      direction,
      camerasLeft: Math.floor(random() * MOST_CAMERAS_OF_ONE),
    };
  }

  #see({ traveller, type, camera, x, y }: Walker): CrowdPosition {
    const { startNs, frameMs, cameras } = this.#options;
    // Cameras are not in step with each other; who is in one picture shares its instant.
    const phaseMs = Math.floor((camera * frameMs) / cameras);
    const timeNs = startNs + BigInt(this.#frame * frameMs + phaseMs) * (NS_PER_SECOND / 1000n);
    return { camera: `camera-${camera + 1}`, traveller, type, x: centimetres(x), y: centimetres(y), timeNs };
  }

  /** False once the walker has left the camera's range: it may come to another. */
  #move(walker: Walker): boolean {
    const { frameMs, cameras } = this.#options;
    const metres = walker.speed * (frameMs / 1000) * (0.9 + 0.2 * this.#random());
    walker.x += walker.direction * metres;
    walker.y = Math.min(WIDTH_METRES, Math.max(0, walker.y + (this.#random() - 0.5) * 0.3));
    if (walker.x >= 0 && walker.x <= RANGE_METRES) return true;
    if (walker.camerasLeft-- > 0) {
      const frames = Math.ceil((BLOCK_METRES / walker.speed) * (1000 / frameMs));
      const at = this.#frame + frames;
      walker.camera = (walker.camera + cameras + walker.direction) % cameras;
      walker.x = walker.direction === 1 ? 0 : RANGE_METRES;
      this.#away.set(at, [...(this.#away.get(at) ?? []), walker]);
    }
    return false;
  }
}

/** By a number in [0, 1). */
function kindOf(drawn: number): (typeof kinds)[number] {
  let sum = 0;
  for (const kind of kinds) {
    sum += kind.share;
    if (drawn < sum) return kind;
  }
  return kinds[0]!;
}

function centimetres(metres: number): number {
  return Math.round(metres * 100) / 100;
}
