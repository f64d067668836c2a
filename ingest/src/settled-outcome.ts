import { type Outcome, type Point, READINGS, type Refusal, readingId, tagOf } from '@tidemark/core';
import type { Fault } from './decoders/decoded.ts';

/** Made out only when asked for: MQTT never does. */
export class SettledOutcome implements Outcome {
  readonly #points: readonly Point[];
  readonly #faults: readonly Fault[];

  constructor(points: readonly Point[], faults: readonly Fault[]) {
    this.#points = points;
    this.#faults = faults;
  }

  get accepted(): number {
    return this.#points.length;
  }

  get rejected(): Refusal[] {
    return this.#faults.map(({ index, reason, detail }) => ({ index, code: reason, detail }));
  }

  get ids(): string[] {
    return this.#points.filter(({ measurement }) => measurement === READINGS).map(idOfPoint);
  }
}

function idOfPoint({ tags, timeNs }: Point): string {
  return readingId(tagOf(tags, 'sensor') ?? '', timeNs);
}
