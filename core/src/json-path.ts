/** Keys and positions from the root of a value down. */
export type JsonPath = readonly (string | number)[];

const step = /\.([^.[\]"'\s]+)|\[(\d{1,6})\]|\["((?:[^"\\]|\\.)*)"\]/y;

/** Reads `$`, `$.a.b[0]` or `$["a key"].b`; a string says what is wrong with it. */
export function parseJsonPath(text: string): JsonPath | string {
  const path: (string | number)[] = [];
  if (!text.startsWith('$')) return `is no path, which begins with $: ${text}`;
  for (step.lastIndex = 1; step.lastIndex < text.length; ) {
    const from = step.lastIndex;
    const match = step.exec(text);
    if (!match) return `is no path such as $.a.b[0] or $["a key"]; it cannot be read at ${text.slice(from)}`;
    const [, key, index, quoted] = match;
    if (key !== undefined) path.push(key);
    else if (index !== undefined) path.push(Number(index));
    else path.push(quoted!.replaceAll(/\\(.)/g, '$1'));
  }
  return path;
}

/** What stands at a path, own properties alone; undefined when nothing does. */
export function valueAt(root: unknown, path: JsonPath): unknown {
  let value = root;
  for (const key of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    if (typeof key === 'number' ? !Array.isArray(value) : !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<string | number, unknown>)[key];
  }
  return value;
}
