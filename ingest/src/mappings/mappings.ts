import {
  asBuffer,
  type MappedClaim,
  type Mapping,
  type MappingDesk,
  type MappingExplanation,
  TopicClaims,
} from '@tidemark/core';
import type { Decoded, Limits } from '../decoders/decoded.ts';
import { compileMapping, type DecodeMapped } from './compile.ts';

interface MappingsOptions {
  mappings: readonly Mapping[];
  limits: Limits;
}

/** The user's mappings, ready to read messages. */
export class Mappings implements MappingDesk {
  readonly claims: TopicClaims;
  readonly #decoders = new Map<Mapping, DecodeMapped>();

  constructor({ mappings, limits }: MappingsOptions) {
    for (const mapping of mappings) this.#decoders.set(mapping, compileMapping(mapping, limits));
    this.claims = new TopicClaims(mappings);
  }

  decode({ mapping, placeholders }: MappedClaim, payload: Uint8Array): Decoded {
    const decode = this.#decoders.get(mapping);
    if (decode === undefined) throw new Error(`mapping ${mapping.id} is not compiled`);
    return decode(asBuffer(payload), placeholders);
  }

  async explain(topic: string, payload: Uint8Array): Promise<MappingExplanation | undefined> {
    const claim = this.claims.of(topic);
    if (claim.kind !== 'mapped') return undefined;
    const { mapping, placeholders } = claim;
    const { readings, lines, faults } = this.decode(claim, payload);
    return {
      mapping: mapping.id,
      topic: mapping.topic,
      placeholders: Object.fromEntries(placeholders),
      readings: readings.map(({ sensor, location, timeNs, values }) => ({
        sensor,
        location,
        timeNs,
        values: Object.fromEntries(values),
      })),
      lines: lines.length,
      rejected: faults.map(({ index, reason, detail }) => ({ index, code: reason, detail })),
    };
  }
}
