/** The parts of a topic that a pattern names, by their names. */
export type Placeholders = ReadonlyMap<string, string>;

/** Which topics, as an MQTT filter in which levels, or parts of them, have names: `tele/{sensor}/SENSOR`. */
export interface TopicPattern {
  /** The MQTT filter that matches at least the topics of the pattern. */
  readonly filter: string;
  readonly names: readonly string[];
  /** The named parts of a topic; undefined when the pattern does not match it. */
  match(topic: string): Placeholders | undefined;
}

interface Level {
  before: string;
  /** Undefined: the level is `before` and nothing else. */
  name: string | undefined;
  after: string;
}

const REST = '#';
const placeholder = /^([^{}+#]*)\{([A-Za-z][A-Za-z0-9_]*)\}([^{}+#]*)$/;

/** Reads a pattern; a string says what is wrong with it. */
export function parseTopicPattern(text: string): TopicPattern | string {
  if (text === '') return 'is empty';
  if (text.includes('\0')) return 'holds a null character';
  const texts = text.split('/');
  const hasRest = texts.at(-1) === REST;
  const levels: Level[] = [];
  const names: string[] = [];
  for (const level of hasRest ? texts.slice(0, -1) : texts) {
    const read = readLevel(level);
    if (read === undefined) return `has a level that is no text, +, {name} or text{name}text: ${level}`;
    if (read.name !== undefined && read.name !== '') names.push(read.name);
    levels.push(read);
  }
  if (new Set(names).size < names.length) return 'names a placeholder twice';
  const filters = levels.map(({ before, name }) => (name === undefined ? before : '+'));
  const filter = [...filters, ...(hasRest ? [REST] : [])].join('/');
  return { filter, names, match: (topic: string) => matchLevels(topic, levels, hasRest) };
}

/** `+` is a placeholder without a name. */
function readLevel(text: string): Level | undefined {
  if (text === '+') return { before: '', name: '', after: '' };
  if (!/[{}+#]/.test(text)) return { before: text, name: undefined, after: '' };
  const match = placeholder.exec(text);
  return match ? { before: match[1]!, name: match[2]!, after: match[3]! } : undefined;
}

function matchLevels(topic: string, levels: readonly Level[], hasRest: boolean): Placeholders | undefined {
  const found = new Map<string, string>();
  const texts = topic.split('/');
  if (hasRest ? texts.length < levels.length : texts.length !== levels.length) return undefined;
  // MQTT 5 section 4.7.2: a wildcard at the beginning matches no topic that begins with $.
  if (topic.startsWith('$') && (levels.length === 0 || levels[0]!.name !== undefined)) return undefined;
  for (const [index, { before, name, after }] of levels.entries()) {
    const text = texts[index]!;
    if (name === undefined) {
      if (text !== before) return undefined;
      continue;
    }
    const rest = text.length - before.length - after.length;
    const isMatch = rest >= 0 && text.startsWith(before) && text.endsWith(after);
    // An empty level is no name of anything.
    if (!isMatch || (name !== '' && rest === 0)) return undefined;
    if (name !== '') found.set(name, text.slice(before.length, text.length - after.length));
  }
  return found;
}
