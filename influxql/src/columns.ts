import type { Expression, SelectField } from './ast.ts';
import { walk } from './walk.ts';

/** The name of a field's column, before conflicts are resolved. */
export function fieldName({ expression, alias }: SelectField): string {
  return alias ?? expressionName(expression);
}

/** Names of the columns of the fields; the arguments of `top` and `bottom` have columns of their own. */
export function columnNames(fields: readonly SelectField[]): string[] {
  const columns = fields.flatMap((field) => [field, ...extraColumns(field)]);
  const taken = new Map<string, number>();
  for (const { alias } of columns) if (alias !== undefined) taken.set(alias, 1);
  return columns.map((column) => column.alias ?? freeName(expressionName(column.expression), taken));
}

/** Columns that `top(field, tag, …, n)` adds. */
export function extraColumns({ expression }: SelectField): SelectField[] {
  if (expression.kind !== 'call' || (expression.name !== 'top' && expression.name !== 'bottom')) return [];
  return expression.args
    .slice(1)
    .filter((arg) => arg.kind === 'reference')
    .map((arg) => ({ expression: arg, alias: undefined }));
}

function freeName(name: string, taken: Map<string, number>): string {
  let free = name;
  let count = taken.get(name);
  if (count !== undefined) {
    while (taken.has(`${name}_${count}`)) count += 1;
    taken.set(name, count + 1);
    free = `${name}_${count}`;
  }
  taken.set(free, (taken.get(free) ?? 0) + 1);
  return free;
}

function expressionName(expression: Expression): string {
  switch (expression.kind) {
    case 'call':
    case 'reference':
      return expression.name;
    case 'paren':
      return expressionName(expression.inner);
    case 'binary':
      return namesIn(expression).join('_');
    default:
      return '';
  }
}

function namesIn(expression: Expression): string[] {
  const names: string[] = [];
  walk(expression, (node) => {
    if (node.kind === 'reference' || node.kind === 'call') names.push(node.name);
    return node.kind !== 'call';
  });
  return names;
}
