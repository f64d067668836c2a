import {
  callType,
  type DataType,
  type Expression,
  formatExpression,
  isMathFunction,
  isNumeric,
  type Operator,
  QueryError,
  typeOfCast,
} from '@tidemark/influxql';

/** The type of an expression whose references are resolved. Throws QueryError where types do not go together. */
export function typeOf(expression: Expression): DataType {
  switch (expression.kind) {
    case 'number':
      return 'float';
    case 'integer':
    case 'string':
    case 'boolean':
      return expression.kind;
    case 'reference':
      return typeOfCast(expression.cast) ?? 'unknown';
    case 'paren':
      return typeOf(expression.inner);
    case 'call':
      return typeOfCall(expression.name, expression.args);
    case 'binary':
      return typeOfBinary(expression);
    default:
      return 'unknown';
  }
}

/** InfluxDB takes a mathematical function to answer what it is given, and so converts to that around a subquery. */
function typeOfCall(name: string, [first]: readonly Expression[]): DataType {
  const type = first === undefined ? 'unknown' : typeOf(first);
  return isMathFunction(name) ? type : callType(name, type);
}

function typeOfBinary(expression: Extract<Expression, { kind: 'binary' }>): DataType {
  const { operator, left, right } = expression;
  const a = typeOf(left);
  const b = typeOf(right);
  if ((a === 'unsigned' && b === 'integer') || (a === 'integer' && b === 'unsigned')) {
    checkMixed(
      expression,
      a === 'unsigned' ? { unsigned: left, integer: right } : { unsigned: right, integer: left },
    );
  }
  if (a === 'unknown') return b;
  if (b === 'unknown') return a;
  const type = resultOf(operator, a, b);
  if (type === undefined) {
    throw new QueryError(`type error: ${formatExpression(expression)}: incompatible types: ${a} and ${b}`);
  }
  return type;
}

/** Signed and unsigned go together only where the signed one is a literal. */
function checkMixed(
  expression: Extract<Expression, { kind: 'binary' }>,
  { unsigned, integer }: { unsigned: Expression; integer: Expression },
): void {
  const isLiteral = ({ kind }: Expression): boolean => kind === 'integer' || kind === 'number';
  const { operator } = expression;
  if (isLiteral(unsigned)) {
    throw new QueryError(
      `type error: ${formatExpression(expression)}: cannot use ${operator} with an integer and unsigned literal`,
    );
  }
  if (!isLiteral(integer)) {
    throw new QueryError(
      `type error: ${formatExpression(expression)}: cannot use ${operator} between an integer and unsigned, an explicit cast is required`,
    );
  }
}

/** What an operator makes of two types; undefined where it makes nothing of them. */
export function resultOf(operator: Operator, a: DataType, b: DataType): DataType | undefined {
  const isBitwise = operator === '&' || operator === '|' || operator === '^';
  if (a === 'boolean' && b === 'boolean' && isBitwise) return 'boolean';
  if (['=', '!=', '<', '<=', '>', '>=', 'AND', 'OR', '=~', '!~'].includes(operator)) return 'boolean';
  if (!isNumeric(a) || !isNumeric(b)) return undefined;
  if (a === 'float' || b === 'float') return isBitwise ? undefined : 'float';
  if (a === 'unsigned' || b === 'unsigned') return 'unsigned';
  return operator === '/' ? 'float' : 'integer';
}
