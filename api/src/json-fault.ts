/**
 * Where a text stops being JSON, counted from 0; its length when it only ends too early.
 * JSON.parse tells the place of some faults only, and in words; called once it has thrown.
 */
export function jsonFaultAt(text: string): number {
  const open: ('[' | '{')[] = [];
  let expects: Expectation = 'value';
  let at = 0;
  for (;;) {
    at = skipSpace(text, at);
    const end = tokenEnd(text, at);
    if (end === undefined) return at;
    const next = step(text.charAt(at), expects, open);
    if (next === undefined) return at;
    expects = next;
    at = end;
  }
}

/** `line 3, column 7` of a position, counted from 1. */
export function placeOf(text: string, position: number): string {
  const lines = text.slice(0, position).split('\n');
  return `line ${lines.length}, column ${lines.at(-1)!.length + 1}`;
}

/** Where the next token begins, at `at` or behind it. */
export function skipSpace(text: string, at: number): number {
  return skip(text, at, /[ \t\r\n]*/y);
}

/** Where the token at `at` ends, or undefined when there is none. */
export function tokenEnd(text: string, at: number): number | undefined {
  const head = text.charAt(at);
  if (head !== '' && '[]{}:,'.includes(head)) return at + 1;
  if (head === '"') return stringEnd(text, at);
  const end = skip(text, at, scalar);
  return end > at ? end : undefined;
}

type Expectation = 'value' | 'value or ]' | 'key' | 'key or }' | ':' | ', or end';

const scalar = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;

/** What may follow a token that starts with `head`, or undefined when it may not stand here. */
function step(head: string, expects: Expectation, open: ('[' | '{')[]): Expectation | undefined {
  switch (head) {
    case ']':
      return expects === ', or end' || expects === 'value or ]' ? close(open, '[') : undefined;
    case '}':
      return expects === ', or end' || expects === 'key or }' ? close(open, '{') : undefined;
    case ':':
      return expects === ':' ? 'value' : undefined;
    case ',':
      if (expects !== ', or end' || open.length === 0) return undefined;
      return open.at(-1) === '[' ? 'value' : 'key';
    default:
      return stepValue(head, expects, open);
  }
}

function close(open: ('[' | '{')[], bracket: '[' | '{'): Expectation | undefined {
  return open.pop() === bracket ? ', or end' : undefined;
}

function stepValue(head: string, expects: Expectation, open: ('[' | '{')[]): Expectation | undefined {
  if (expects === 'key' || expects === 'key or }') return head === '"' ? ':' : undefined;
  if (expects !== 'value' && expects !== 'value or ]') return undefined;
  if (head !== '[' && head !== '{') return ', or end';
  open.push(head);
  return head === '[' ? 'value or ]' : 'key or }';
}

// A loop, since one regular expression over a string of megabytes overflows its stack.
function stringEnd(text: string, start: number): number | undefined {
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x22) return at + 1;
    if (code < 0x20) return undefined;
    if (code === 0x5c) {
      const end = skip(text, at, /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y);
      if (end === at) return undefined;
      at = end - 1;
    }
  }
  return undefined;
}

function skip(text: string, at: number, pattern: RegExp): number {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : at;
}
