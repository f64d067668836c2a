import { skipSpace, tokenEnd } from './json-fault.ts';

/**
 * Names of an object's members in the order of its text, each once: JSON.parse brings those like `7` to the
 * front. The text is valid JSON of an object.
 */
export function memberNames(text: string): string[] {
  const names = new Set<string>();
  let depth = 0;
  let before = '';
  for (let at = skipSpace(text, 0); at < text.length; ) {
    const head = text.charAt(at);
    const end = tokenEnd(text, at) ?? text.length;
    if (depth === 1 && head === '"' && before !== ':') names.add(JSON.parse(text.slice(at, end)) as string);
    if (head === '{' || head === '[') depth += 1;
    if (head === '}' || head === ']') depth -= 1;
    before = head;
    at = skipSpace(text, end);
  }
  return [...names];
}
