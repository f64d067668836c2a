import type { Expression, SelectStatement } from './ast.ts';

/** The expressions right under one. */
export function childrenOf(expression: Expression): readonly Expression[] {
  switch (expression.kind) {
    case 'call':
      return expression.args;
    case 'paren':
      return [expression.inner];
    case 'binary':
      return [expression.left, expression.right];
    default:
      return [];
  }
}

/** Visits an expression and all under it, parents first; no deeper where `visit` answers false. */
export function walk(expression: Expression, visit: (node: Expression) => boolean): void {
  if (!visit(expression)) return;
  for (const child of childrenOf(expression)) walk(child, visit);
}

/** The expression with each node put through `change`, children first. */
export function rewrite(expression: Expression, change: (node: Expression) => Expression): Expression {
  switch (expression.kind) {
    case 'call':
      return change({ ...expression, args: expression.args.map((arg) => rewrite(arg, change)) });
    case 'paren':
      return change({ ...expression, inner: rewrite(expression.inner, change) });
    case 'binary':
      return change({
        ...expression,
        left: rewrite(expression.left, change),
        right: rewrite(expression.right, change),
      });
    default:
      return change(expression);
  }
}

/** Every regular expression of a statement, of its subqueries too. */
export function regexesOf(select: SelectStatement): string[] {
  const found: string[] = [];
  const collect = (expression: Expression): void =>
    walk(expression, (node) => {
      if (node.kind === 'regex') found.push(node.source);
      return true;
    });
  for (const { expression } of select.fields) collect(expression);
  if (select.where !== undefined) collect(select.where);
  for (const dimension of select.groupBy) if (dimension.kind === 'regex') found.push(dimension.source);
  for (const source of select.sources) {
    if (source.kind === 'subquery') found.push(...regexesOf(source.select));
    else if (source.regex !== undefined) found.push(source.regex);
  }
  return found;
}
