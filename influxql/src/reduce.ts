import { parseTime, zoneOffsets } from '@tidemark/core';
import type { Expression, Operator } from './ast.ts';
import { isMathFunction } from './functions.ts';
import { QueryError } from './query-error.ts';

/** What constants are computed with. */
export interface Moment {
  nowNs: bigint;
  /** IANA name; undefined is UTC. */
  timeZone: string | undefined;
}

const datePattern = /^\d{4}-\d{2}-\d{2}$/;
const dateTimePattern = /^\d{4}-\d{2}-\d{2}.+/s;
const localPattern = /^(\d{4}-\d{2}-\d{2}) (\d{1,2}):(\d{2}):(\d{2})(\.\d+)?$/;

/** The expression with everything computed that is constant; without a moment, `now()` stays as it is. */
export function reduce(expression: Expression, moment: Moment | undefined): Expression {
  switch (expression.kind) {
    case 'paren': {
      const inner = reduce(expression.inner, moment);
      return inner.kind === 'binary' ? { kind: 'paren', inner } : inner;
    }
    case 'call':
      return reduceCall(expression.name, expression.args, moment);
    case 'binary': {
      const left = reduce(expression.left, moment);
      const right = reduce(expression.right, moment);
      return reduceBinary(expression.operator, left, right, moment) ?? { ...expression, left, right };
    }
    default:
      return expression;
  }
}

/** True for text that InfluxQL takes for a time. */
export function isTimeText(text: string): boolean {
  return datePattern.test(text) || dateTimePattern.test(text);
}

/** The time that a text in quotes stands for; throws QueryError when it is none. */
export function timeOfText(text: string, timeZone: string | undefined): bigint {
  const local = localTime(text);
  if (local !== undefined) return timeZone === undefined ? local : fromLocal(local, timeZone);
  const timeNs = /^\d{4}-\d{2}-\d{2}T.*(?:Z|[+-]\d\d:\d\d)$/.test(text) ? parseTime(text) : undefined;
  if (timeNs === undefined) throw new QueryError('invalid timestamp string');
  return timeNs;
}

function localTime(text: string): bigint | undefined {
  if (datePattern.test(text)) return parseTime(`${text}T00:00:00Z`);
  const [, date, hour, minute, second, fraction = ''] = localPattern.exec(text) ?? [];
  if (date === undefined) return undefined;
  return parseTime(`${date}T${hour!.padStart(2, '0')}:${minute}:${second}${fraction}Z`);
}

/** When the clocks of a zone show that time, given as if it were UTC. */
function fromLocal(localNs: bigint, timeZone: string): bigint {
  const offsetAt = zoneOffsets(timeZone);
  const guessNs = localNs - offsetAt(localNs);
  return localNs - offsetAt(guessNs);
}

function reduceCall(name: string, args: readonly Expression[], moment: Moment | undefined): Expression {
  const reduced = args.map((arg) => reduce(arg, moment));
  if (name === 'now' && reduced.length === 0 && moment !== undefined)
    return { kind: 'time', ns: moment.nowNs };
  if (isMathFunction(name) && reduced.length > 0) {
    const values = reduced.map(numberOf);
    if (values.every((value) => value !== undefined)) {
      const value = mathValue(name, values);
      const isWhole = reduced[0]!.kind === 'integer' && ['abs', 'floor', 'ceil', 'round'].includes(name);
      return isWhole ? { kind: 'integer', value: BigInt(value) } : { kind: 'number', value };
    }
  }
  return { kind: 'call', name, args: reduced };
}

function mathValue(name: string, [a = Number.NaN, b = Number.NaN]: readonly number[]): number {
  if (name === 'ln') return Math.log(a);
  if (name === 'log') return Math.log(a) / Math.log(b);
  if (name === 'round') return Math.trunc(a) + (Math.abs(a - Math.trunc(a)) >= 0.5 ? Math.sign(a) : 0);
  const functions = Math as unknown as Record<string, (a: number, b: number) => number>;
  return functions[name]!(a, b);
}

function numberOf(expression: Expression): number | undefined {
  if (expression.kind === 'number') return expression.value;
  return expression.kind === 'integer' ? Number(expression.value) : undefined;
}

function reduceBinary(
  operator: Operator,
  left: Expression,
  right: Expression,
  moment: Moment | undefined,
): Expression | undefined {
  if (operator === 'AND' || operator === 'OR') return reduceLogic(operator, left, right);
  const asTime = (other: Expression): Expression =>
    other.kind === 'string' && isTimeText(other.value)
      ? { kind: 'time', ns: timeOfText(other.value, moment?.timeZone) }
      : other;
  const meetsTime = (kind: Expression['kind']) => kind === 'time' || kind === 'duration';
  if (left.kind === 'string' && meetsTime(right.kind))
    return reduceBinary(operator, asTime(left), right, moment);
  if (right.kind === 'string' && meetsTime(left.kind)) return reduceTimes(operator, left, asTime(right));
  return reduceTimes(operator, left, right) ?? reduceNumbers(operator, left, right);
}

function reduceLogic(operator: 'AND' | 'OR', left: Expression, right: Expression): Expression | undefined {
  // The value that decides alone, and the one that says nothing.
  const decides = operator === 'OR';
  const is = (side: Expression, value: boolean): boolean => side.kind === 'boolean' && side.value === value;
  if (is(left, decides) || is(right, decides)) return { kind: 'boolean', value: decides };
  if (is(left, !decides)) return right;
  return is(right, !decides) ? left : undefined;
}

/** Sums of times and durations, and durations times numbers. */
function reduceTimes(operator: Operator, left: Expression, right: Expression): Expression | undefined {
  const sign = operator === '+' ? 1n : operator === '-' ? -1n : undefined;
  if (sign !== undefined) return addTimes(left, right, sign);
  if (left.kind === 'duration' && (right.kind === 'integer' || right.kind === 'number')) {
    const factor = right.kind === 'integer' ? right.value : BigInt(Math.trunc(right.value));
    if (operator === '*') return { kind: 'duration', ns: left.ns * factor };
    if (operator === '/') return { kind: 'duration', ns: factor === 0n ? 0n : left.ns / factor };
  }
  if (operator === '*' && left.kind === 'integer' && right.kind === 'duration') {
    return { kind: 'duration', ns: left.value * right.ns };
  }
  return undefined;
}

function addTimes(left: Expression, right: Expression, sign: bigint): Expression | undefined {
  const kinds = `${left.kind} ${right.kind}`;
  const a = nanosecondsOf(left);
  const b = nanosecondsOf(right);
  if (a === undefined || b === undefined) return undefined;
  switch (kinds) {
    case 'duration duration':
      return { kind: 'duration', ns: a + sign * b };
    case 'time time':
      return sign < 0n ? { kind: 'duration', ns: a - b } : undefined;
    case 'time duration':
    case 'time integer':
    case 'integer duration':
    case 'integer time':
      return { kind: 'time', ns: a + sign * b };
    case 'duration time':
      return sign > 0n ? { kind: 'time', ns: a + b } : undefined;
    default:
      return undefined;
  }
}

function nanosecondsOf(expression: Expression): bigint | undefined {
  if (expression.kind === 'time' || expression.kind === 'duration') return expression.ns;
  return expression.kind === 'integer' ? expression.value : undefined;
}

function reduceNumbers(operator: Operator, left: Expression, right: Expression): Expression | undefined {
  if (left.kind === 'integer' && right.kind === 'integer') {
    return reduceIntegers(operator, left.value, right.value);
  }
  const a = numberOf(left);
  const b = numberOf(right);
  if (a === undefined || b === undefined) return undefined;
  switch (operator) {
    case '+':
      return { kind: 'number', value: a + b };
    case '-':
      return { kind: 'number', value: a - b };
    case '*':
      return { kind: 'number', value: a * b };
    case '/':
      return { kind: 'number', value: b === 0 ? 0 : a / b };
    case '%':
      return { kind: 'number', value: a % b };
    default:
      return compareNumbers(operator, a, b);
  }
}

function reduceIntegers(operator: Operator, a: bigint, b: bigint): Expression | undefined {
  const whole = (value: bigint): Expression => ({ kind: 'integer', value: BigInt.asIntN(64, value) });
  switch (operator) {
    case '+':
      return whole(a + b);
    case '-':
      return whole(a - b);
    case '*':
      return whole(a * b);
    case '/':
      return { kind: 'number', value: b === 0n ? 0 : Number(a) / Number(b) };
    case '%':
      return whole(b === 0n ? 0n : a % b);
    case '&':
      return whole(a & b);
    case '|':
      return whole(a | b);
    case '^':
      return whole(a ^ b);
    default:
      return compareNumbers(operator, a, b);
  }
}

function compareNumbers<T extends number | bigint>(operator: Operator, a: T, b: T): Expression | undefined {
  switch (operator) {
    case '=':
      return { kind: 'boolean', value: a === b };
    case '!=':
      return { kind: 'boolean', value: a !== b };
    case '<':
      return { kind: 'boolean', value: a < b };
    case '<=':
      return { kind: 'boolean', value: a <= b };
    case '>':
      return { kind: 'boolean', value: a > b };
    case '>=':
      return { kind: 'boolean', value: a >= b };
    default:
      return undefined;
  }
}
