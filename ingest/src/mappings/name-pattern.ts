/** Longer names are of no metric, and no pattern is tried on them. */
const MAX_NAME_LENGTH = 256;

/** Whether a name matches any of the patterns, in which `*` stands for any text. */
export function namePattern(patterns: readonly string[]): (name: string) => boolean {
  const expressions = patterns.map((pattern) => {
    const texts = pattern.split(/\*+/).map((text) => RegExp.escape(text));
    return new RegExp(`^${texts.join('.*')}$`, 's');
  });
  return (name) => name.length <= MAX_NAME_LENGTH && expressions.some((expression) => expression.test(name));
}
