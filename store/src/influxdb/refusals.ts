// What the texts of influxd's refusals (400, 422) say of the lines that were sent.

const unparsed = "unable to parse '";

/** True when a type is the matter; which of the lines have it, the text does not say. */
export function isTypeConflict(message: string): boolean {
  return message.includes('field type conflict');
}

/** True when all of so many lines were dropped; the text counts those dropped for one of the reasons. */
export function isAboutAll(message: string, lines: number): boolean {
  return Number(/dropped=(\d+)/.exec(message)?.[1]) === lines;
}

/**
 * The lines that could not be parsed, each with its reason; none of the others was written either. Empty when
 * the text names none of those that were sent.
 */
export function unparsedLines(message: string, lines: ReadonlySet<string>): Map<string, string> {
  const found = new Map<string, string>();
  if (!message.startsWith(unparsed)) return found;
  for (const part of message.slice(unparsed.length).split(`\n${unparsed}`)) {
    // A line may hold what looks like its end.
    for (let end = part.indexOf("': "); end >= 0; end = part.indexOf("': ", end + 1)) {
      const line = part.slice(0, end);
      if (!lines.has(line)) continue;
      found.set(line, part.slice(end + 3));
      break;
    }
  }
  return found;
}
