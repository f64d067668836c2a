/** How the records of one Kafka topic are read. */
export interface TopicTemplate {
  topic: string;
  /** A topic as MQTT has them, with `{key}` and `{topic}`; undefined: the records hold flat readings. */
  template: string | undefined;
}

/** Reads `readings` or `positions=travellers/{key}`. */
export function parseTopicTemplate(text: string): TopicTemplate {
  const equals = text.indexOf('=');
  if (equals === -1) return { topic: text, template: undefined };
  return { topic: text.slice(0, equals), template: text.slice(equals + 1) };
}

/** The topic of a record, or what is wrong with its key. */
export function topicOf(
  { topic, template }: TopicTemplate,
  key: Uint8Array | null | undefined,
): { topic: string; problem?: string } {
  if (template === undefined) return { topic };
  const named = template.replaceAll('{topic}', topic);
  if (!named.includes('{key}')) return { topic: named };
  if (key === null || key === undefined || key.length === 0)
    return { topic: named, problem: 'the record has no key' };
  const text = Buffer.from(key).toString('utf8');
  // A slash would name another metric, or another sensor.
  if (/[/+#\p{Cc}\ufffd]/u.test(text))
    return {
      topic: named,
      problem: `the record's key is no name of a sensor: ${JSON.stringify(text.slice(0, 80))}`,
    };
  return { topic: named.replaceAll('{key}', text) };
}
