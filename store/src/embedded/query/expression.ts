import {
  type DataType,
  type Expression,
  formatExpression,
  isMathFunction,
  isNumeric,
  type Operator,
  QueryError,
} from '@tidemark/influxql';
import type { Bindings } from './bindings.ts';
import { sqlTypeOf } from './relation.ts';
import { resultOf } from './types.ts';

/** SQL of an expression, and what it yields. */
export interface Typed {
  sql: string;
  type: DataType;
}

/** What stands for references and calls, by `formatExpression`. */
export type Symbols = ReadonlyMap<string, Typed>;

/** Of SQL; DuckDB takes more, but nobody means it. */
const MAX_EXPRESSION_LENGTH = 8000;

const nothing: Typed = { sql: 'NULL::DOUBLE', type: 'unknown' };

/** An expression over symbols, with InfluxQL's arithmetic: x / 0 is 0, integers wrap, nothing with a value is nothing. */
export function expressionSql(expression: Expression, symbols: Symbols, bindings: Bindings): Typed {
  const typed = unboundedSql(expression, symbols, bindings);
  // Where an operand stands twice in the SQL, its length doubles with each operator.
  if (typed.sql.length > MAX_EXPRESSION_LENGTH) throw new QueryError('expression too complex');
  return typed;
}

function unboundedSql(expression: Expression, symbols: Symbols, bindings: Bindings): Typed {
  switch (expression.kind) {
    case 'number':
      return { sql: bindings.float(expression.value), type: 'float' };
    case 'integer':
      return { sql: bindings.integer(BigInt.asIntN(64, expression.value)), type: 'integer' };
    case 'string':
      return { sql: bindings.text(expression.value), type: 'string' };
    case 'boolean':
      return { sql: expression.value ? 'TRUE' : 'FALSE', type: 'boolean' };
    case 'paren':
      return expressionSql(expression.inner, symbols, bindings);
    case 'reference':
      return symbols.get(formatExpression(expression)) ?? nothing;
    case 'call':
      if (!isMathFunction(expression.name)) return symbols.get(formatExpression(expression)) ?? nothing;
      return mathSql(
        expression.name,
        expression.args.map((arg) => expressionSql(arg, symbols, bindings)),
      );
    case 'binary':
      return binarySql(expression, symbols, bindings);
    default:
      return nothing;
  }
}

/** A value as another type; nothing where it has no such value. */
export function castSql({ sql, type }: Typed, to: DataType): string {
  if (type === to || (type === 'tag' && to === 'string') || (type === 'string' && to === 'tag')) return sql;
  if (to === 'float') return `CAST(${sql} AS DOUBLE)`;
  const target = sqlTypeOf(to);
  return type === 'float' ? `TRY_CAST(trunc(${sql}) AS ${target})` : `TRY_CAST(${sql} AS ${target})`;
}

/** True when values of one type can be read as another. */
export function isCastable(from: DataType, to: DataType): boolean {
  const isText = (type: DataType): boolean => type === 'string' || type === 'tag';
  const isNumber = (type: DataType): boolean => type === 'float' || type === 'integer' || type === 'unsigned';
  return from === to || (isText(from) && isText(to)) || (isNumber(from) && isNumber(to));
}

/** A HUGEINT as the 64-bit integer that is left of it when the upper bits are lost, as Go has it. */
export function wrapped(sql: string, type: DataType): string {
  const span = '18446744073709551616::HUGEINT';
  if (type === 'unsigned') return `CAST(((${sql}) % ${span} + ${span}) % ${span} AS UBIGINT)`;
  const half = '9223372036854775808::HUGEINT';
  return `CAST((((${sql}) + ${half}) % ${span} + ${span}) % ${span} - ${half} AS BIGINT)`;
}

function binarySql(
  expression: Extract<Expression, { kind: 'binary' }>,
  symbols: Symbols,
  bindings: Bindings,
): Typed {
  const { operator } = expression;
  const left = expressionSql(expression.left, symbols, bindings);
  const right = expressionSql(expression.right, symbols, bindings);
  if (left.type === 'boolean' || right.type === 'boolean') return logicSql(operator, left, right);
  const type = resultOf(operator, left.type, right.type);
  if (type === undefined) return { sql: 'NULL::DOUBLE', type: known(left, right) };
  if (type === 'float' && operator === '/') {
    const divisor = literalOf(expression.right);
    // A literal need not be asked whether it is zero.
    if (divisor !== undefined && divisor !== 0) {
      return { sql: `(${castSql(left, 'float')} / ${bindings.float(divisor)})`, type };
    }
  }
  if (type === 'float')
    return { sql: floatSql(operator, castSql(left, 'float'), castSql(right, 'float')), type };
  return { sql: integerSql(operator, left.sql, right.sql, type), type };
}

function literalOf(expression: Expression): number | undefined {
  return expression.kind === 'integer' || expression.kind === 'number' ? Number(expression.value) : undefined;
}

function known(left: Typed, right: Typed): DataType {
  return left.type === 'unknown' ? right.type : left.type;
}

function logicSql(operator: Operator, left: Typed, right: Typed): Typed {
  // Nothing beside a boolean is false.
  const side = ({ sql, type }: Typed): string => (type === 'boolean' ? `COALESCE(${sql}, FALSE)` : 'FALSE');
  const joined: Partial<Record<Operator, string>> = { '&': 'AND', '|': 'OR', '^': '!=' };
  const word = joined[operator];
  if (word === undefined) return { sql: 'NULL::BOOLEAN', type: 'boolean' };
  const isAnything = `(${left.sql}) IS NOT NULL OR (${right.sql}) IS NOT NULL`;
  return { sql: `CASE WHEN ${isAnything} THEN ${side(left)} ${word} ${side(right)} END`, type: 'boolean' };
}

function floatSql(operator: Operator, a: string, b: string): string {
  if (operator === '/') return `CASE WHEN ${a} IS NULL THEN NULL WHEN ${b} = 0 THEN 0 ELSE ${a} / ${b} END`;
  if (operator === '%') return `CASE WHEN ${b} = 0 THEN ${a} * 'NaN'::DOUBLE ELSE ${a} % ${b} END`;
  return `(${a} ${operator} ${b})`;
}

function integerSql(operator: Operator, a: string, b: string, type: DataType): string {
  const [left, right] = [`(${a})::HUGEINT`, `(${b})::HUGEINT`];
  switch (operator) {
    case '/':
      return wrapped(`CASE WHEN ${b} = 0 THEN ${left} * 0 ELSE ${left} // ${right} END`, type);
    case '%':
      return wrapped(`CASE WHEN ${b} = 0 THEN ${left} * 0 ELSE ${left} % ${right} END`, type);
    case '&':
    case '|':
      return wrapped(`(${left} ${operator} ${right})`, type);
    case '^':
      return wrapped(`xor(${left}, ${right})`, type);
    default:
      return wrapped(`${left} ${operator} ${right}`, type);
  }
}

const mathFunctions: Record<string, (x: string, y: string) => string> = {
  // Beyond what a function is defined for, DuckDB fails; the answer there is NaN.
  sqrt: (x) => `CASE WHEN ${x} < 0 THEN 'NaN'::DOUBLE ELSE sqrt(${x}) END`,
  ln: logarithm('ln'),
  log2: logarithm('log2'),
  log10: logarithm('log10'),
  log: (x, y) => `(${logarithm('ln')(x)}) / (${logarithm('ln')(y)})`,
  asin: (x) => `CASE WHEN abs(${x}) > 1 THEN 'NaN'::DOUBLE ELSE asin(${x}) END`,
  acos: (x) => `CASE WHEN abs(${x}) > 1 THEN 'NaN'::DOUBLE ELSE acos(${x}) END`,
  sin: finite('sin'),
  cos: finite('cos'),
  tan: finite('tan'),
  atan: (x) => `atan(${x})`,
  exp: (x) => `exp(${x})`,
  atan2: (x, y) => `atan2(${x}, ${y})`,
  pow: (x, y) => `pow(${x}, ${y})`,
};

function mathSql(name: string, [first = nothing, second = nothing]: readonly Typed[]): Typed {
  if ([first, second].some(({ type }) => !isNumeric(type) && type !== 'unknown')) return nothing;
  if (name === 'abs' || name === 'floor' || name === 'ceil' || name === 'round') return roundSql(name, first);
  const sql = mathFunctions[name]!(castSql(first, 'float'), castSql(second, 'float'));
  return { sql, type: 'float' };
}

function roundSql(name: string, { sql, type }: Typed): Typed {
  if (type === 'float') return { sql: `${name}(${sql})`, type };
  if (name !== 'abs' || type !== 'integer') return { sql, type };
  return { sql: wrapped(`abs((${sql})::HUGEINT)`, type), type };
}

function logarithm(name: string): (x: string) => string {
  return (x) =>
    `CASE WHEN ${x} > 0 THEN ${name}(${x}) WHEN ${x} = 0 THEN '-Infinity'::DOUBLE WHEN ${x} IS NULL THEN NULL ELSE 'NaN'::DOUBLE END`;
}

function finite(name: string): (x: string) => string {
  return (x) =>
    `CASE WHEN isfinite(${x}) THEN ${name}(${x}) WHEN ${x} IS NULL THEN NULL ELSE 'NaN'::DOUBLE END`;
}
