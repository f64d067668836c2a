import type { Tag } from '@tidemark/core';

/** One type of traveller at one sensor. */
export interface Stream {
  readonly id: number;
  readonly sensor: string;
  readonly type: string;
  /** Of its points, by slot: points of one series share their tags. */
  readonly tags: (readonly Tag[])[];
  readonly tracks: Map<string, Track>;
}

/** The positions of one traveller in a stream, in the order of time; at least one. */
export interface Track {
  readonly stream: Stream;
  readonly traveller: string;
  /** In the pool. */
  first: number;
  last: number;
  /** Every stored position of it from here on is in memory. */
  fromNs: bigint;
}

/** The tags that a position is stored with. */
export function tagsOfSlot({ sensor, type, tags }: Stream, slot: number): readonly Tag[] {
  let found = tags[slot];
  if (found === undefined) {
    const made: Tag[] = [
      ['sensor', sensor],
      ['slot', String(slot)],
      ['type', type],
    ];
    found = Object.freeze(made);
    tags[slot] = found;
  }
  return found;
}
