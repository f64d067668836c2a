import type { Expression } from './ast.ts';
import { rewrite } from './walk.ts';

/** Of a condition; what has more stays a regular expression, since each text is compared with each series. */
const MAX_TEXTS = 500;
/** What stands for itself in a regular expression, escaped or not. */
const character = String.raw`(?:[^\\^$*+?.()|[\]{}]|\\[!-/:-@[-\x60{-~])`;
const exact = new RegExp(
  String.raw`^\^(?:${character}+|\((?:\?:)?${character}+(?:\|${character}+)*\))\$$`,
  'u',
);
const texts = new RegExp(`${character}+`, 'gu');

/**
 * A condition with comparisons where its regular expressions match whole texts, as those of Grafana's variables do:
 * `sensor =~ /^(a|b)$/` is `sensor = 'a' OR sensor = 'b'`, which an index of tags can answer.
 */
export function withExactTexts(condition: Expression): Expression {
  let room = MAX_TEXTS;
  return rewrite(condition, (node) => {
    if (node.kind !== 'binary' || node.operator !== '=~' || node.right.kind !== 'regex') return node;
    const { left, right } = node;
    if (left.kind !== 'reference' || left.name === 'time' || !exact.test(right.source)) return node;
    const found = textsIn(right.source);
    if (found.length > room) return node;
    room -= found.length;
    return { kind: 'paren', inner: isOneOf(left, found) };
  });
}

function textsIn(source: string): string[] {
  const body = source.slice(1, -1).replace(/^\((?:\?:)?/, '');
  return [...body.matchAll(texts)].map(([text]) => text.replace(/\\(.)/gsu, '$1'));
}

/** A balanced tree, so that it is not as deep as the list is long. */
function isOneOf(left: Expression, found: readonly string[]): Expression {
  if (found.length === 1)
    return { kind: 'binary', operator: '=', left, right: { kind: 'string', value: found[0]! } };
  const middle = found.length >> 1;
  const [some, others] = [found.slice(0, middle), found.slice(middle)];
  return { kind: 'binary', operator: 'OR', left: isOneOf(left, some), right: isOneOf(left, others) };
}
