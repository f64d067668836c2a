import { createRandom, type Random } from '../sensor-model.ts';
import type { CrowdPosition } from './crowd.ts';

/** Shares of messages that come again, and that come late, and by how many pictures at most. */
const RESENT = 0.02;
const LATE = 0.05;
const LATE_FRAMES = 5;

export interface CrowdMessage {
  topic: string;
  payload: string;
  positions: number;
}

/** Pictures as messages, one for each camera, some of them late and some of them twice, as networks have it. */
export class CrowdMessages {
  readonly #random: Random;
  readonly #late = new Map<number, CrowdMessage[]>();
  #frame = 0;

  constructor(seed: number) {
    this.#random = createRandom(seed ^ 0x5eed);
  }

  /** The messages that follow from the next picture, and those that are due from before. */
  next(positions: readonly CrowdPosition[]): CrowdMessage[] {
    const due = this.#late.get(this.#frame) ?? [];
    this.#late.delete(this.#frame);
    for (const message of messagesOf(positions)) {
      if (this.#random() >= LATE) due.push(message);
      else this.#putOff(message);
      if (this.#random() < RESENT) this.#putOff(message);
    }
    this.#frame++;
    return due;
  }

  /** All that is still to come. */
  rest(): CrowdMessage[] {
    const rest = [...this.#late.values()].flat();
    this.#late.clear();
    return rest;
  }

  #putOff(message: CrowdMessage): void {
    const at = this.#frame + 1 + Math.floor(this.#random() * LATE_FRAMES);
    this.#late.set(at, [...(this.#late.get(at) ?? []), message]);
  }
}

/** One message for each camera that sees anybody. */
export function messagesOf(positions: readonly CrowdPosition[]): CrowdMessage[] {
  const byCamera = Map.groupBy(positions, ({ camera }) => camera);
  return Array.from(byCamera, ([camera, seen]) => ({
    topic: `travellers/${camera}`,
    payload: `[${seen.map(positionText).join(',')}]`,
    positions: seen.length,
  }));
}

function positionText({ traveller, type, x, y, timeNs }: CrowdPosition): string {
  return `{"traveller":"${traveller}","type":"${type}","x":${x},"y":${y},"time":${timeNs}}`;
}
