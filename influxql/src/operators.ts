import type { Expression, Operator } from './ast.ts';

/** What binds most loosely comes first: https://docs.influxdata.com/influxdb/v1/query_language/spec/#operators */
const levels: readonly (readonly Operator[])[] = [
  ['OR'],
  ['AND'],
  ['=', '!=', '=~', '!~', '<', '<=', '>', '>='],
  ['+', '-', '|', '^'],
  ['*', '/', '%', '&'],
];
const levelOf = new Map(levels.flatMap((operators, level) => operators.map((operator) => [operator, level])));

/** The tree of `operands[0] operators[0] operands[1] …`; operators of one level group from the left. */
export function treeOf(operands: readonly Expression[], operators: readonly Operator[]): Expression {
  const waiting: Operator[] = [];
  const built: Expression[] = [operands[0]!];
  const reduce = (): void => {
    const right = built.pop()!;
    const left = built.pop()!;
    built.push({ kind: 'binary', operator: waiting.pop()!, left, right });
  };
  operators.forEach((operator, index) => {
    while (waiting.length > 0 && levelOf.get(waiting.at(-1)!)! >= levelOf.get(operator)!) reduce();
    waiting.push(operator);
    built.push(operands[index + 1]!);
  });
  while (waiting.length > 0) reduce();
  return built[0]!;
}

/** `-x`: a number with its sign, else -1 times it. */
export function negated(expression: Expression): Expression {
  switch (expression.kind) {
    case 'number':
      return { kind: 'number', value: -expression.value };
    case 'integer':
      return { kind: 'integer', value: -expression.value };
    case 'duration':
      return { kind: 'duration', ns: -expression.ns };
    default:
      return { kind: 'binary', operator: '*', left: { kind: 'integer', value: -1n }, right: expression };
  }
}
