import {
  type CompiledSelect,
  type DataType,
  type Expression,
  fieldName,
  formatExpression,
  QueryError,
  type SelectField,
} from '@tidemark/influxql';
import { compareText } from '../../order.ts';
import type { Regexes } from './regexes.ts';

/** The names that the sources of a select have. */
export interface Known {
  fields: ReadonlyMap<string, DataType>;
  tags: ReadonlySet<string>;
}

interface Column {
  name: string;
  type: DataType;
}

type Call = Extract<Expression, { kind: 'call' }>;

const takesText = new Set(['count', 'first', 'last', 'distinct', 'elapsed', 'mode', 'sample']);
const takesBooleans = new Set([...takesText, 'min', 'max']);

/** True for what stands for several columns, or must not stand where it does. */
export function mayExpand(expression: Expression): boolean {
  switch (expression.kind) {
    case 'wildcard':
    case 'regex':
      return true;
    case 'call':
      return expression.args.some(mayExpand);
    case 'paren':
      return mayExpand(expression.inner);
    case 'binary':
      return mayExpand(expression.left) || mayExpand(expression.right);
    default:
      return false;
  }
}

/** Puts columns, which are in order, in the places of wildcards and regular expressions. */
export function expandFields(
  fields: readonly SelectField[],
  columns: readonly Column[],
  regexes: Regexes,
): SelectField[] {
  return fields.flatMap((field): SelectField[] => {
    const { expression } = field;
    switch (expression.kind) {
      case 'wildcard':
        return columns
          .filter(({ type }) => expression.of === undefined || (expression.of === 'tag') === (type === 'tag'))
          .map(toField);
      case 'regex':
        return columns.filter(({ name }) => regexes.test(expression.source, name)).map(toField);
      case 'call':
        return expandCall(field, expression, columns, regexes);
      case 'binary':
        refuseWildcards(expression);
        return [field];
      default:
        return [field];
    }
  });
}

/** The dimensions' names, each place of a wildcard or regular expression filled with the tags it stands for. */
export function expandDimensions(
  dimensions: CompiledSelect['dimensions'],
  { tags }: Known,
  regexes: Regexes,
): string[] {
  const sorted = [...tags].sort(compareText);
  const names = dimensions.flatMap((dimension) => {
    if (dimension.kind === 'tag') return [dimension.name];
    return dimension.kind === 'wildcard'
      ? sorted
      : sorted.filter((tag) => regexes.test(dimension.source, tag));
  });
  return [...new Set(names)];
}

function toField({ name, type }: Column): SelectField {
  return { expression: reference({ name, type }), alias: undefined };
}

function reference({ name, type }: Column): Expression {
  return { kind: 'reference', name, cast: type === 'unknown' ? undefined : type };
}

function expandCall(
  field: SelectField,
  call: Call,
  columns: readonly Column[],
  regexes: Regexes,
): SelectField[] {
  const innermost = innermostCall(call);
  const [first] = innermost.args;
  if (first?.kind !== 'wildcard' && first?.kind !== 'regex') return [field];
  if (first.kind === 'wildcard' && first.of === 'tag') {
    throw new QueryError(`unable to use tag wildcard in ${innermost.name}()`);
  }
  return columns
    .filter(({ type }) => takes(innermost.name, type))
    .filter(({ name }) => first.kind === 'wildcard' || regexes.test(first.source, name))
    .map((column) => ({
      expression: withArgument(call, reference(column)),
      alias: `${fieldName(field)}_${column.name}`,
    }));
}

function innermostCall(call: Call): Call {
  const [first] = call.args;
  return first?.kind === 'call' ? innermostCall(first) : call;
}

function withArgument(call: Call, argument: Expression): Call {
  const [first, ...rest] = call.args;
  return { ...call, args: [first?.kind === 'call' ? withArgument(first, argument) : argument, ...rest] };
}

function takes(name: string, type: DataType): boolean {
  if (type === 'string') return takesText.has(name);
  if (type === 'boolean') return takesBooleans.has(name);
  return type === 'float' || type === 'integer' || type === 'unsigned';
}

function refuseWildcards(expression: Expression): void {
  const find = (node: Expression, kind: Expression['kind']): boolean => {
    if (node.kind === kind) return true;
    if (node.kind === 'binary') return find(node.left, kind) || find(node.right, kind);
    if (node.kind === 'paren') return find(node.inner, kind);
    return node.kind === 'call' && node.args.some((arg) => find(arg, kind));
  };
  const text = formatExpression(expression);
  if (find(expression, 'wildcard')) throw new QueryError(`unsupported expression with wildcard: ${text}`);
  if (find(expression, 'regex')) throw new QueryError(`unsupported expression with regex field: ${text}`);
}
