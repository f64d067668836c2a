const maxIdLength = 128;
// Control characters (C0, DEL, C1, line and paragraph separators), and MQTT's own `/ + #`.
// biome-ignore lint/suspicious/noControlCharactersInRegex: refusing control characters is the purpose
const forbidden = /[\u0000-\u001f\u007f-\u009f\u2028\u2029/+#]/;

/**
 * Why the text is no sensor, location or metric id, or undefined when it is one:
 * 1 to 128 characters of any script, without control characters and `/ + #`.
 */
export function idProblem(id: string): string | undefined {
  if (id.length === 0) return 'is empty';
  if (id.length > maxIdLength && [...id].length > maxIdLength)
    return `is longer than ${maxIdLength} characters`;
  if (forbidden.test(id)) return 'holds a control character or one of / + #';
  if (!id.isWellFormed()) return 'is not well-formed Unicode';
  return undefined;
}

/** What ids of rules look like: they stand in topics, URLs and file names as they are. */
export const ruleIdPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
