/** What a topic claims to carry. */
export type TopicClaim =
  | { kind: 'metric'; sensor: string; metric: string }
  | { kind: 'sensor'; sensor: string }
  | { kind: 'lines' }
  /** A birth, death or data of a Sparkplug B node, or of a device of it. */
  | SparkplugClaim
  /** Positions of travellers in the range of a camera. */
  | { kind: 'travellers'; sensor: string }
  /** A service says that it is up. */
  | { kind: 'heartbeat' }
  /** Only the platform itself publishes there. */
  | { kind: 'own' }
  /** Brokered, never ingested. */
  | { kind: 'other' };

/** Messages of a Sparkplug B edge node that tell of its metrics or of itself. */
export const sparkplugTypes = ['NBIRTH', 'NDEATH', 'NDATA', 'DBIRTH', 'DDEATH', 'DDATA'] as const;
export type SparkplugType = (typeof sparkplugTypes)[number];

/** `spBv1.0/<group>/<type>/<node>[/<device>]`. */
export interface SparkplugClaim {
  kind: 'sparkplug';
  type: SparkplugType;
  group: string;
  node: string;
  /** Undefined where the node itself reports. */
  device: string | undefined;
}

const ownPrefixes = ['$SYS/', 'alerts/', 'live/', 'quarantine/'];
/** Claims read before: every message asks, and devices keep to their topics. Bounded: cleared when full. */
const known = new Map<string, TopicClaim>();
const MAX_KNOWN = 100_000;
/** Longer than any topic of a valid reading; a topic may have 64 KiB. */
const MAX_KNOWN_LENGTH = 280;

/** Filters of the topics that hold readings, or say that a service is up: what is subscribed to at a broker elsewhere. */
export const readingFilters: readonly string[] = [
  'sensors/#',
  'travellers/#',
  'lines/#',
  'spBv1.0/#',
  'heartbeats/#',
];

/**
 * Reads what a topic claims to be: `sensors/<sensor>[/<metric>]`, `travellers/<sensor>`, `lines/<anything>` and Sparkplug's births, deaths and data
 * are readings.
 */
export function claimOf(topic: string): TopicClaim {
  const before = known.get(topic);
  if (before) return before;
  if (known.size >= MAX_KNOWN) known.clear();
  const claim = readClaim(topic);
  if (topic.length <= MAX_KNOWN_LENGTH) known.set(topic, claim);
  return claim;
}

function readClaim(topic: string): TopicClaim {
  if (topic.startsWith('sensors/')) return sensorClaim(topic);
  if (topic.startsWith('lines/')) return { kind: 'lines' };
  if (topic.startsWith('spBv1.0/')) return sparkplugClaim(topic);
  if (topic.startsWith('travellers/'))
    return { kind: 'travellers', sensor: topic.slice('travellers/'.length) };
  if (topic.startsWith('heartbeats/')) return { kind: 'heartbeat' };
  return { kind: ownPrefixes.some((prefix) => topic.startsWith(prefix)) ? 'own' : 'other' };
}

/** `sensors/a/b/c` claims to be a reading too: metric "b/c" is then refused with a reason, not ignored. */
function sensorClaim(topic: string): TopicClaim {
  const sensorStart = 'sensors/'.length;
  const slash = topic.indexOf('/', sensorStart);
  if (slash === -1) return { kind: 'sensor', sensor: topic.slice(sensorStart) };
  return { kind: 'metric', sensor: topic.slice(sensorStart, slash), metric: topic.slice(slash + 1) };
}

/** Commands and the states of hosts are for others. */
function sparkplugClaim(topic: string): TopicClaim {
  const [, group = '', name, node = '', ...devices] = topic.split('/');
  const type = sparkplugTypes.find((one) => one === name);
  if (type === undefined) return { kind: 'other' };
  const device = devices.length === 0 ? undefined : devices.join('/');
  return { kind: 'sparkplug', type, group, node, device };
}
