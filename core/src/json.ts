const longInteger = /\d{16,}/;
const integerSource = /^-?\d+$/;

/**
 * JSON.parse that keeps every integer exact: one beyond 2^53 comes back as a bigint, read from the source
 * text (JSON.parse alone rounds nanoseconds). Throws SyntaxError as JSON.parse does.
 */
export function parseJson(text: string): unknown {
  return longInteger.test(text) ? JSON.parse(text, reviveInteger) : JSON.parse(text);
}

/** JSON.stringify with bigints written as plain integers. */
export function stringifyJson(value: unknown): string {
  // JSON.rawJSON is newer than TypeScript's own lib; Node 24 has it.
  const raw = (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON;
  return JSON.stringify(value, (_key, item) => (typeof item === 'bigint' ? raw(String(item)) : item));
}

function reviveInteger(this: unknown, _key: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value;
  const source = context?.source;
  return source !== undefined && integerSource.test(source) ? BigInt(source) : value;
}
