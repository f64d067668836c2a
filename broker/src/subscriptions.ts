import type { Subscription } from 'aedes';
import { Qlobber } from 'qlobber';

/** From how many filters on a trie finds the matching ones sooner than comparing each. */
const TRIE_FROM = 8;

/** What a client gets of a message, all its matching subscriptions considered. */
export interface Grant {
  qos: 0 | 1 | 2;
  /** Whether the retain flag is passed on (MQTT 5, "Retain As Published"). */
  keepsRetain: boolean;
  /** MQTT 5 Subscription Identifiers. */
  identifiers: readonly number[];
}

type WithIdentifier = Subscription & { subscriptionIdentifier?: number };

/** A new trie of topic filters. */
export function filterTrie<Value>(): Qlobber<Value> {
  return new Qlobber<Value>({
    separator: '/',
    wildcard_one: '+',
    wildcard_some: '#',
    match_empty_levels: true,
  });
}

/** MQTT 3.1.1, [MQTT-4.7.2-1]: a filter that begins with a wildcard matches no topic that begins with `$`. */
export function isHidden(topic: string, filter: string): boolean {
  return topic.startsWith('$') && (filter.startsWith('#') || filter.startsWith('+'));
}

/** MQTT 3.1.1, [MQTT-4.7.1-2] and [MQTT-4.7.1-3]: a wildcard is a whole level, and `#` the last one. */
export function isWellFormed(filter: string): boolean {
  const levels = filter.split('/');
  return levels.every(
    (level, index) => level === '+' || (level === '#' ? index === levels.length - 1 : !/[+#]/.test(level)),
  );
}

/** MQTT 5, section 4.8.2. */
export function isShared(filter: string): boolean {
  return filter.startsWith('$share/');
}

/** The subscriptions of one client, by their filters. */
export class Subscriptions {
  readonly #byFilter = new Map<string, Subscription>();
  #trie: Qlobber<Subscription> | undefined;

  get size(): number {
    return this.#byFilter.size;
  }

  /** Adds one, or replaces the one with the same filter. */
  set(subscription: Subscription): void {
    this.delete(subscription.topic);
    this.#byFilter.set(subscription.topic, subscription);
    this.#trie?.add(subscription.topic, subscription);
  }

  get(filter: string): Subscription | undefined {
    return this.#byFilter.get(filter);
  }

  delete(filter: string): void {
    const before = this.#byFilter.get(filter);
    if (before === undefined) return;
    this.#byFilter.delete(filter);
    this.#trie?.remove(filter, before);
  }

  all(): Iterable<Subscription> {
    return this.#byFilter.values();
  }

  /** Those that match the topic of a message that is known to match at least one. */
  matching(topic: string): readonly Subscription[] {
    if (this.#byFilter.size === 1) return [...this.#byFilter.values()];
    if (this.#byFilter.size >= TRIE_FROM && this.#trie === undefined) {
      this.#trie = filterTrie();
      for (const subscription of this.#byFilter.values()) this.#trie.add(subscription.topic, subscription);
    }
    const found =
      this.#trie?.match(topic) ?? [...this.#byFilter.values()].filter((one) => matches(one, topic));
    return found.filter((one) => !isHidden(topic, one.topic));
  }
}

/**
 * Joins the subscriptions of one client that match a message: it is sent once, by the highest QoS among them
 * ([MQTT-3.3.5-1]) and with all their identifiers ([MQTT-3.3.4-4] of MQTT 5). Undefined when none remains,
 * since the client published the message itself and wants none of its own back.
 */
export function grantOf(matching: readonly WithIdentifier[], isOwn: boolean): Grant | undefined {
  const counted = isOwn ? matching.filter(({ nl }) => nl !== true) : matching;
  const first = counted[0];
  if (first === undefined) return undefined;
  let qos = first.qos;
  for (const other of counted) if (other.qos > qos) qos = other.qos;
  return {
    qos,
    keepsRetain: counted.some(({ rap }) => rap === true),
    identifiers: counted.flatMap(({ subscriptionIdentifier: id }) => (id === undefined ? [] : [id])),
  };
}

function matches({ topic: filter }: Subscription, topic: string): boolean {
  const wanted = filter.split('/');
  const levels = topic.split('/');
  for (const [index, level] of wanted.entries()) {
    if (level === '#') return true;
    if (index >= levels.length || (level !== '+' && level !== levels[index])) return false;
  }
  return wanted.length === levels.length;
}
