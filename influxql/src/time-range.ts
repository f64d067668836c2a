import type { Expression, Operator } from './ast.ts';
import { formatExpression } from './format.ts';
import { QueryError } from './query-error.ts';
import { isTimeText, type Moment, reduce, timeOfText } from './reduce.ts';

/** The least and greatest time there is for InfluxQL; also what stands for no limit. */
export const MIN_TIME_NS = -(2n ** 63n) + 2n;
export const MAX_TIME_NS = 2n ** 63n - 2n;

/** Both ends inclusive; undefined where nothing is said. */
export interface TimeRange {
  minNs: bigint | undefined;
  maxNs: bigint | undefined;
}

/** A condition without what it says of time, and the range that it says. */
export interface Condition {
  /** Undefined when every point passes. */
  filter: Expression | undefined;
  range: TimeRange;
}

const mirrored: Partial<Record<Operator, Operator>> = { '<': '>', '<=': '>=', '>': '<', '>=': '<=' };

/**
 * Takes the time out of a WHERE clause. What it says of time holds for the whole, even under OR: that is
 * InfluxQL's rule. Throws QueryError for conditions that are none.
 */
export function splitCondition(where: Expression | undefined, moment: Moment): Condition {
  if (where === undefined) return { filter: undefined, range: { minNs: undefined, maxNs: undefined } };
  const { filter, range } = split(where, moment);
  const bare = filter?.kind === 'paren' ? filter.inner : filter;
  return { filter: bare?.kind === 'boolean' && bare.value ? undefined : bare, range };
}

/** Where both hold. */
export function intersect(a: TimeRange, b: TimeRange): TimeRange {
  const largest = (x: bigint | undefined, y: bigint | undefined) =>
    x === undefined || (y !== undefined && y > x) ? y : x;
  const smallest = (x: bigint | undefined, y: bigint | undefined) =>
    x === undefined || (y !== undefined && y < x) ? y : x;
  return { minNs: largest(a.minNs, b.minNs), maxNs: smallest(a.maxNs, b.maxNs) };
}

function split(condition: Expression, moment: Moment): Condition {
  const all: TimeRange = { minNs: undefined, maxNs: undefined };
  if (condition.kind === 'paren') {
    const { filter, range } = split(condition.inner, moment);
    return { filter: filter && reduce({ kind: 'paren', inner: filter }, undefined), range };
  }
  if (condition.kind === 'boolean') return { filter: condition, range: all };
  if (condition.kind !== 'binary') {
    throw new QueryError(`invalid condition expression: ${formatExpression(condition)}`);
  }
  const { operator, left, right } = condition;
  if (operator === 'AND' || operator === 'OR') {
    const a = split(left, moment);
    const b = split(right, moment);
    const range = intersect(a.range, b.range);
    if (a.filter === undefined || b.filter === undefined) return { filter: a.filter ?? b.filter, range };
    return {
      filter: reduce({ kind: 'binary', operator, left: a.filter, right: b.filter }, undefined),
      range,
    };
  }
  if (isTime(left)) return { filter: undefined, range: rangeOf(operator, right, moment) };
  if (isTime(right))
    return { filter: undefined, range: rangeOf(mirrored[operator] ?? operator, left, moment) };
  return { filter: reduce(condition, moment), range: all };
}

function isTime(expression: Expression): boolean {
  return expression.kind === 'reference' && expression.name.toLowerCase() === 'time';
}

function rangeOf(operator: Operator, side: Expression, moment: Moment): TimeRange {
  const timeNs = timeOf(side, moment);
  switch (operator) {
    case '>':
      return { minNs: timeNs + 1n, maxNs: undefined };
    case '>=':
      return { minNs: timeNs, maxNs: undefined };
    case '<':
      return { minNs: undefined, maxNs: timeNs - 1n };
    case '<=':
      return { minNs: undefined, maxNs: timeNs };
    case '=':
      return { minNs: timeNs, maxNs: timeNs };
    default:
      throw new QueryError(`invalid time comparison operator: ${operator}`);
  }
}

function timeOf(side: Expression, moment: Moment): bigint {
  const literal: Expression =
    side.kind === 'string' && isTimeText(side.value)
      ? { kind: 'time', ns: timeOfText(side.value, moment.timeZone) }
      : reduce(side, moment);
  switch (literal.kind) {
    case 'time':
      return inRange(literal.ns);
    case 'duration':
      return BigInt.asIntN(64, literal.ns);
    case 'integer':
      return BigInt.asIntN(64, literal.value);
    case 'number':
      return BigInt(Math.trunc(literal.value));
    default:
      throw new QueryError(`invalid operation: time and ${goTypeOf(literal)} are not compatible`);
  }
}

function inRange(timeNs: bigint): bigint {
  const text = (): string => {
    const date = new Date(Number(timeNs / 1_000_000n));
    return Number.isNaN(date.getTime()) ? String(timeNs) : date.toISOString().replace(/\.\d+/, '');
  };
  if (timeNs > MAX_TIME_NS) throw new QueryError(`time ${text()} overflows time literal`);
  if (timeNs < MIN_TIME_NS + 1n) throw new QueryError(`time ${text()} underflows time literal`);
  return timeNs;
}

/** What InfluxDB calls a kind of expression in its errors. */
export function goTypeOf(expression: Expression): string {
  const names: Record<Expression['kind'], string> = {
    number: 'NumberLiteral',
    integer: 'IntegerLiteral',
    string: 'StringLiteral',
    boolean: 'BooleanLiteral',
    duration: 'DurationLiteral',
    time: 'TimeLiteral',
    regex: 'RegexLiteral',
    reference: 'VarRef',
    wildcard: 'Wildcard',
    call: 'Call',
    paren: 'ParenExpr',
    binary: 'BinaryExpr',
  };
  return `*influxql.${names[expression.kind]}`;
}
