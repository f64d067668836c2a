import { type Expression, isNumeric, type Operator, walk } from '@tidemark/influxql';
import type { TagSet } from '../series.ts';
import type { Bindings } from './bindings.ts';
import { tagOf } from './catalog.ts';
import { castSql, expressionSql, type Symbols, type Typed } from './expression.ts';
import type { Regexes } from './regexes.ts';

/** What a condition comes to for a tag set: decided by its tags, or a question about its fields. */
export type Verdict = boolean | Expression;

/** Decides as much of a condition as the tags do. A tag that is absent is an empty text. */
export function decide(condition: Expression, tagSet: TagSet, regexes: Regexes): Verdict {
  if (condition.kind === 'paren') return decide(condition.inner, tagSet, regexes);
  if (condition.kind === 'boolean') return condition.value;
  if (condition.kind !== 'binary') return false;
  const { operator, left, right } = condition;
  if (operator === 'AND' || operator === 'OR') {
    const a = decide(left, tagSet, regexes);
    const b = decide(right, tagSet, regexes);
    const decisive = operator === 'OR';
    if (a === decisive || b === decisive) return decisive;
    if (typeof a === 'boolean') return b;
    if (typeof b === 'boolean') return a;
    return { kind: 'binary', operator, left: a, right: b };
  }
  const a = textOf(left, tagSet);
  const b = textOf(right, tagSet);
  // Without a tag on one side, it is a question about fields.
  if ((a ?? b) === undefined || !(isTag(left) || isTag(right))) return condition;
  return compareTexts(operator, { text: a, side: left }, { text: b, side: right }, regexes) ?? condition;
}

/** The names of the fields that a condition asks about, as references. */
export function referencesIn(condition: Expression): Extract<Expression, { kind: 'reference' }>[] {
  const found: Extract<Expression, { kind: 'reference' }>[] = [];
  walk(condition, (node) => {
    if (node.kind === 'reference') found.push(node);
    return true;
  });
  return found;
}

/** What a condition is asked of. */
export interface ConditionScope {
  symbols: Symbols;
  bindings: Bindings;
  /** True around subqueries, where InfluxDB compares what is absent with a boolean as if it were false. */
  takesAbsentForFalse: boolean;
}

/** A condition as SQL that is true or false. Comparing what is absent, or of another kind, is false. */
export function conditionSql(condition: Expression, scope: ConditionScope): string {
  const { symbols, bindings } = scope;
  if (condition.kind === 'paren') return conditionSql(condition.inner, scope);
  if (condition.kind === 'boolean') return condition.value ? 'TRUE' : 'FALSE';
  if (condition.kind !== 'binary') return truthOf(expressionSql(condition, symbols, bindings));
  const { operator, left, right } = condition;
  if (operator === 'AND' || operator === 'OR') {
    return `(${chainOf(condition, operator)
      .map((side) => conditionSql(side, scope))
      .join(` ${operator} `)})`;
  }
  const a = expressionSql(left, symbols, bindings);
  if (operator === '=~' || operator === '!~') return matchSql(operator, a, right, bindings);
  if (!['=', '!=', '<', '<=', '>', '>='].includes(operator)) {
    return truthOf(expressionSql(condition, symbols, bindings));
  }
  return compareSql(operator, a, expressionSql(right, symbols, bindings), scope);
}

/** The sides of a chain of one operator, which SQL takes without nesting. */
function chainOf(condition: Expression, operator: Operator): Expression[] {
  if (condition.kind !== 'binary' || condition.operator !== operator) return [condition];
  return [...chainOf(condition.left, operator), ...chainOf(condition.right, operator)];
}

function truthOf({ sql, type }: Typed): string {
  return type === 'boolean' ? `COALESCE(${sql}, FALSE)` : 'FALSE';
}

function matchSql(operator: Operator, { sql, type }: Typed, right: Expression, bindings: Bindings): string {
  if (right.kind !== 'regex' || (type !== 'string' && type !== 'tag')) return 'FALSE';
  const match = `regexp_matches(${sql}, ${bindings.text(right.source)})`;
  return `COALESCE(${operator === '=~' ? match : `NOT ${match}`}, FALSE)`;
}

function compareSql(operator: Operator, a: Typed, b: Typed, { takesAbsentForFalse }: ConditionScope): string {
  const isText = ({ type }: Typed): boolean => type === 'string' || type === 'tag';
  const isEquality = operator === '=' || operator === '!=';
  if (isText(a) && isText(b)) return isEquality ? `COALESCE(${a.sql} ${operator} ${b.sql}, FALSE)` : 'FALSE';
  if (a.type === 'boolean' && b.type === 'boolean' && isEquality) {
    if (!takesAbsentForFalse) return `COALESCE(${a.sql} ${operator} ${b.sql}, FALSE)`;
    const isAnything = `(${a.sql}) IS NOT NULL OR (${b.sql}) IS NOT NULL`;
    return `((${isAnything}) AND COALESCE(${a.sql}, FALSE) ${operator} COALESCE(${b.sql}, FALSE))`;
  }
  if (!isNumeric(a.type) || !isNumeric(b.type)) return 'FALSE';
  if (a.type === 'float' || b.type === 'float') {
    return `COALESCE(${castSql(a, 'float')} ${operator} ${castSql(b, 'float')}, FALSE)`;
  }
  return `COALESCE((${a.sql})::HUGEINT ${operator} (${b.sql})::HUGEINT, FALSE)`;
}

/** True for what is asked of a tag: names that are neither are absent tags. */
export function isTag(side: Expression): boolean {
  return side.kind === 'reference' && (side.cast === 'tag' || side.cast === undefined);
}

/** The text that a side is for a tag set; undefined when it depends on fields. */
function textOf(side: Expression, tagSet: TagSet): string | undefined {
  if (side.kind === 'string') return side.value;
  return side.kind === 'reference' && isTag(side) ? tagOf(tagSet, side.name) : undefined;
}

interface Side {
  text: string | undefined;
  side: Expression;
}

function compareTexts(operator: Operator, a: Side, b: Side, regexes: Regexes): boolean | undefined {
  if (b.side.kind === 'regex' && a.text !== undefined) {
    const matches = regexes.test(b.side.source, a.text);
    if (operator === '=~') return matches;
    return operator === '!~' ? !matches : undefined;
  }
  if (a.text === undefined || b.text === undefined) return undefined;
  if (operator === '=') return a.text === b.text;
  return operator === '!=' ? a.text !== b.text : undefined;
}
