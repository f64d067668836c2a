/** What a topic claims to carry. */
export type TopicClaim =
  | { kind: 'metric'; sensor: string; metric: string }
  | { kind: 'sensor'; sensor: string }
  | { kind: 'lines' }
  /** Brokered, never ingested. */
  | { kind: 'other' };

const other: TopicClaim = { kind: 'other' };
const lines: TopicClaim = { kind: 'lines' };

/** Prefixes that are the platform's own to publish on. */
const ownPrefixes = ['$SYS/', 'alerts/', 'live/', 'quarantine/'];

/** Reads what a topic claims to be: `sensors/<sensor>[/<metric>]` and `lines/<anything>` are readings. */
export function claimOf(topic: string): TopicClaim {
  if (topic.startsWith('sensors/')) return sensorClaim(topic);
  if (topic.startsWith('lines/')) return lines;
  return other;
}

/** True when only the platform itself may publish on the topic. */
export function isOwnTopic(topic: string): boolean {
  return ownPrefixes.some((prefix) => topic.startsWith(prefix));
}

/** `sensors/a/b/c` claims to be a reading too: metric "b/c" is then refused with a reason, not ignored. */
function sensorClaim(topic: string): TopicClaim {
  const sensorStart = 'sensors/'.length;
  const slash = topic.indexOf('/', sensorStart);
  if (slash === -1) return { kind: 'sensor', sensor: topic.slice(sensorStart) };
  return { kind: 'metric', sensor: topic.slice(sensorStart, slash), metric: topic.slice(slash + 1) };
}
