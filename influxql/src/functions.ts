/** Functions of one value after another, which need no points around them. */
const mathFunctions: ReadonlyMap<string, number> = new Map([
  ['abs', 1],
  ['sin', 1],
  ['cos', 1],
  ['tan', 1],
  ['asin', 1],
  ['acos', 1],
  ['atan', 1],
  ['atan2', 2],
  ['exp', 1],
  ['log', 2],
  ['ln', 1],
  ['log2', 1],
  ['log10', 1],
  ['sqrt', 1],
  ['pow', 2],
  ['floor', 1],
  ['ceil', 1],
  ['round', 1],
]);

const selectors = new Set(['first', 'last', 'min', 'max', 'percentile', 'sample', 'top', 'bottom']);

const transformations = new Set([
  'derivative',
  'non_negative_derivative',
  'difference',
  'non_negative_difference',
  'elapsed',
  'moving_average',
  'cumulative_sum',
]);

export function isMathFunction(name: string): boolean {
  return mathFunctions.has(name);
}

/** How many arguments a mathematical function takes. */
export function mathArity(name: string): number {
  return mathFunctions.get(name) ?? 1;
}

/** True for functions that pick points, so that the rest of the point can stand beside them. */
export function isSelector(name: string): boolean {
  return selectors.has(name);
}

/** True for functions that go from value to value. */
export function isTransformation(name: string): boolean {
  return transformations.has(name);
}
