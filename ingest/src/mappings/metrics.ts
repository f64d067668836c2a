import { Counter, type Mapping, type Registry } from '@tidemark/core';
import type { Decoded } from '../decoders/decoded.ts';

/** What comes of a message; one with any fault is refused, whatever else it holds. */
const outcomes = ['taken', 'left_out', 'refused'] as const;

type Counts = Record<(typeof outcomes)[number], number>;

/** What mappings tell Prometheus: there are no more of them than the configuration has. */
export class MappingMetrics {
  readonly #counts = new Map<string, Counts>();

  constructor(registry: Registry, mappings: readonly Pick<Mapping, 'id'>[]) {
    for (const { id } of mappings) this.#counts.set(id, { taken: 0, left_out: 0, refused: 0 });
    const counts = this.#counts;
    new Counter({
      name: 'tidemark_ingest_mapped_messages_total',
      help: 'Messages that a mapping has read, by what came of them',
      labelNames: ['mapping', 'outcome'],
      registers: [registry],
      collect() {
        this.reset();
        for (const [mapping, byOutcome] of counts)
          for (const outcome of outcomes) this.inc({ mapping, outcome }, byOutcome[outcome]);
      },
    });
  }

  count({ id }: Pick<Mapping, 'id'>, { readings, lines, positions = [], faults }: Decoded): void {
    const counts = this.#counts.get(id)!;
    if (faults.length > 0) counts.refused++;
    else if (readings.length + lines.length + positions.length > 0) counts.taken++;
    else counts.left_out++;
  }
}
