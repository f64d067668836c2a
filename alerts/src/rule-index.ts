import type { ActiveRule } from './series.ts';

/** Rules whose patterns begin and end with texts of these lengths, by the two texts. */
interface Group {
  prefixLength: number;
  suffixLength: number;
  byEnds: Map<string, ActiveRule[]>;
}

/**
 * Rules by how the patterns of their sensors begin and end: with a thousand rules about a part of the sensors each, a
 * sensor is compared with the few that may be about it. A look-up for each pair of lengths that patterns have.
 */
export class RuleIndex {
  readonly #groups: Group[] = [];
  /** About sensors of any id. */
  readonly #any: ActiveRule[] = [];

  constructor(rules: readonly ActiveRule[]) {
    for (const active of rules) {
      const patterns = active.rule.sensors;
      if (patterns === undefined) this.#any.push(active);
      for (const pattern of new Set(patterns)) this.#add(active, pattern);
    }
  }

  /** Those that may be about a sensor of this id, each once. */
  candidates(id: string): Iterable<ActiveRule> {
    const found = new Set(this.#any);
    for (const { prefixLength, suffixLength, byEnds } of this.#groups)
      for (const active of byEnds.get(endsOf(id, prefixLength, suffixLength)) ?? []) found.add(active);
    return found;
  }

  #add(active: ActiveRule, pattern: string): void {
    const first = pattern.indexOf('*');
    const prefixLength = first === -1 ? pattern.length : first;
    const suffixLength = first === -1 ? 0 : pattern.length - 1 - pattern.lastIndexOf('*');
    let group = this.#groups.find(
      (one) => one.prefixLength === prefixLength && one.suffixLength === suffixLength,
    );
    if (group === undefined) {
      group = { prefixLength, suffixLength, byEnds: new Map() };
      this.#groups.push(group);
    }
    const ends = endsOf(pattern, prefixLength, suffixLength);
    const together = group.byEnds.get(ends);
    if (together) together.push(active);
    else group.byEnds.set(ends, [active]);
  }
}

/** Both texts as one key; no id holds a `/`. */
function endsOf(text: string, prefixLength: number, suffixLength: number): string {
  const suffix = suffixLength === 0 ? '' : text.slice(-suffixLength);
  return `${text.slice(0, prefixLength)}/${suffix}`;
}
