export { readRule } from './read-rule.ts';
export { Scope } from './scope.ts';
export { newSeries, step } from './series-state.ts';
