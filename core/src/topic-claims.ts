import type { Mapping } from './mapping-schema.ts';
import { type Placeholders, parseTopicPattern, type TopicPattern } from './topic-pattern.ts';
import { claimOf, type TopicClaim } from './topics.ts';

/** What a topic claims to carry, by the platform's own topics first and the user's mappings after them. */
export type MessageClaim = TopicClaim | MappedClaim;

/** A mapping says how to read the topic. */
export interface MappedClaim {
  kind: 'mapped';
  mapping: Mapping;
  placeholders: Placeholders;
}

/** As of the platform's own topics: every message asks, and devices keep to theirs. Cleared when full. */
const MAX_KNOWN = 100_000;
const MAX_KNOWN_LENGTH = 280;

/** Which topics hold readings, with the mappings of the configuration: the first that matches a topic is its. */
export class TopicClaims {
  #mappings: readonly { mapping: Mapping; pattern: TopicPattern }[] = [];
  readonly #known = new Map<string, MessageClaim>();

  constructor(mappings: readonly Mapping[] = []) {
    this.setMappings(mappings);
  }

  setMappings(mappings: readonly Mapping[]): void {
    this.#mappings = mappings.map((mapping) => ({ mapping, pattern: patternOf(mapping) }));
    this.#known.clear();
  }

  of(topic: string): MessageClaim {
    const claim = claimOf(topic);
    if (claim.kind !== 'other' || this.#mappings.length === 0) return claim;
    const before = this.#known.get(topic);
    if (before) return before;
    if (this.#known.size >= MAX_KNOWN) this.#known.clear();
    const mapped = this.#mappedClaim(topic) ?? claim;
    if (topic.length <= MAX_KNOWN_LENGTH) this.#known.set(topic, mapped);
    return mapped;
  }

  /** MQTT filters of all topics that mappings may read, to subscribe to; the platform's own are not among them. */
  get filters(): string[] {
    return [...new Set(this.#mappings.map(({ pattern }) => pattern.filter))];
  }

  #mappedClaim(topic: string): MappedClaim | undefined {
    for (const { mapping, pattern } of this.#mappings) {
      const placeholders = pattern.match(topic);
      if (placeholders) return { kind: 'mapped', mapping, placeholders };
    }
    return undefined;
  }
}

function patternOf({ topic }: Mapping): TopicPattern {
  const pattern = parseTopicPattern(topic);
  if (typeof pattern === 'string') throw new Error(`the topic of a mapping ${pattern}`);
  return pattern;
}
