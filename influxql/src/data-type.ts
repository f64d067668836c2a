import type { CastType } from './ast.ts';

/** What a field, a tag or an expression holds; `unknown` is neither a field nor a tag of any source. */
export type DataType = 'float' | 'integer' | 'unsigned' | 'string' | 'boolean' | 'tag' | 'unknown';

/** Where sources disagree about a name's type, the one that comes first here wins. */
const precedence: readonly DataType[] = [
  'float',
  'integer',
  'unsigned',
  'string',
  'boolean',
  'tag',
  'unknown',
];

/** The type that stands for both. */
export function widerType(a: DataType, b: DataType): DataType {
  return precedence.indexOf(a) <= precedence.indexOf(b) ? a : b;
}

export function isNumeric(type: DataType): boolean {
  return type === 'float' || type === 'integer' || type === 'unsigned';
}

/** The type that `::` names, where it names one. */
export function typeOfCast(cast: CastType | undefined): DataType | undefined {
  return cast === undefined || cast === 'field' ? undefined : cast;
}

/** What a function that is no mathematical one answers, for an argument of that type. */
export function callType(name: string, argument: DataType): DataType {
  switch (name) {
    case 'count':
    case 'elapsed':
      return 'integer';
    case 'mean':
    case 'median':
    case 'integral':
    case 'stddev':
    case 'derivative':
    case 'non_negative_derivative':
    case 'moving_average':
      return 'float';
    default:
      return argument;
  }
}
