import type { Expression } from './ast.ts';
import type { Interval } from './compile.ts';
import { formatDurationLiteral, formatExpression } from './format.ts';
import { isTransformation } from './functions.ts';
import { QueryError } from './query-error.ts';
import { goTypeOf } from './time-range.ts';

/** What is gathered over all fields of a statement. */
export interface FieldState {
  interval: Interval | undefined;
  inheritsInterval: boolean;
  limit: number;
  calls: Call[];
  hasOnlySelectors: boolean;
  hasDistinct: boolean;
  hasReferences: boolean;
  topOrBottom: string | undefined;
}

type Call = Extract<Expression, { kind: 'call' }>;

interface CallPlace {
  allowsWildcard: boolean;
  /** Checks a function inside a transformation. */
  checkNested: (nested: Expression) => void;
}

const aggregates = new Set(['count', 'sum', 'mean', 'median', 'mode', 'stddev', 'spread']);
const simpleSelectors = new Set(['max', 'min', 'first', 'last']);

const checks: Record<string, (call: Call, state: FieldState, place: CallPlace) => void> = {
  percentile: checkPercentile,
  sample: checkSample,
  distinct: (call, state) => checkDistinct(call, state, { isNested: false }),
  top: checkTop,
  bottom: checkTop,
  integral: checkIntegral,
};

/** Checks one call and its arguments; throws QueryError. */
export function checkCall(call: Call, state: FieldState, place: CallPlace): void {
  const { name } = call;
  state.calls.push(call);
  const check = isTransformation(name) ? checkTransformation : (checks[name] ?? checkAggregate);
  check(call, state, place);
}

function checkAggregate({ name, args }: Call, state: FieldState, place: CallPlace): void {
  if (aggregates.has(name)) state.hasOnlySelectors = false;
  else if (!simpleSelectors.has(name)) throw new QueryError(`undefined function ${name}()`);
  countArguments(name, args, 1, 1);
  const [first] = args;
  if (name === 'count' && first?.kind === 'call' && first.name === 'distinct') {
    checkDistinct(first, state, { isNested: true });
  } else {
    checkField(name, first!, state, place);
  }
}

function checkPercentile({ name, args }: Call, state: FieldState, place: CallPlace): void {
  countArguments(name, args, 2, 2);
  if (args[1]!.kind !== 'integer' && args[1]!.kind !== 'number') {
    throw new QueryError('expected float argument in percentile()');
  }
  checkField(name, args[0]!, state, place);
}

function checkSample({ name, args }: Call, state: FieldState, place: CallPlace): void {
  countArguments(name, args, 2, 2);
  const size = args[1]!;
  if (size.kind !== 'integer') throw new QueryError('expected integer argument in sample()');
  if (size.value <= 0n) throw new QueryError(`sample window must be greater than 1, got ${size.value}`);
  checkField(name, args[0]!, state, place);
}

function checkDistinct({ args }: Call, state: FieldState, { isNested }: { isNested: boolean }): void {
  if (args.length === 0) throw new QueryError('distinct function requires at least one argument');
  if (args.length !== 1) throw new QueryError('distinct function can only have one argument');
  if (args[0]!.kind !== 'reference') throw new QueryError('expected field argument in distinct()');
  if (!isNested) state.hasDistinct = true;
  state.hasOnlySelectors = false;
}

function checkIntegral({ name, args }: Call, state: FieldState, place: CallPlace): void {
  countArguments(name, args, 1, 2);
  const unit = args[1];
  if (unit !== undefined && unit.kind !== 'duration')
    throw new QueryError('second argument must be a duration');
  if (unit !== undefined) checkPositive(unit.ns);
  state.hasOnlySelectors = false;
  checkField(name, args[0]!, state, place);
}

function checkTransformation({ name, args }: Call, state: FieldState, place: CallPlace): void {
  const takesUnit = name.endsWith('derivative') || name === 'elapsed';
  const most = takesUnit || name === 'moving_average' ? 2 : 1;
  countArguments(name, args, name === 'moving_average' ? 2 : 1, most);
  if (takesUnit && args[1] !== undefined) checkUnit(name, args[1]);
  if (name === 'moving_average') checkLength(args[1]!);
  state.hasOnlySelectors = false;
  const [inner] = args;
  const { interval, inheritsInterval } = state;
  if (inner!.kind !== 'call') {
    if (interval !== undefined && !inheritsInterval) {
      throw new QueryError(`aggregate function required inside the call to ${name}`);
    }
    checkField(name, inner!, state, place);
    return;
  }
  if (interval === undefined) throw new QueryError(`${name} aggregate requires a GROUP BY interval`);
  if (inner!.name === 'distinct') checkDistinct(inner!, state, { isNested: true });
  else place.checkNested(inner!);
}

function checkUnit(name: string, unit: Expression): void {
  if (unit.kind !== 'duration') {
    throw new QueryError(`second argument to ${name} must be a duration, got ${goTypeOf(unit)}`);
  }
  checkPositive(unit.ns);
}

function checkPositive(ns: bigint): void {
  if (ns > 0n) return;
  throw new QueryError(`duration argument must be positive, got ${formatDurationLiteral(ns)}`);
}

function checkLength(length: Expression): void {
  if (length.kind !== 'integer') {
    throw new QueryError(`second argument for moving_average must be an integer, got ${goTypeOf(length)}`);
  }
  if (length.value <= 1n) {
    throw new QueryError(`moving_average window must be greater than 1, got ${length.value}`);
  }
}

function checkTop(call: Call, state: FieldState): void {
  const { name, args } = call;
  if (state.topOrBottom !== undefined) {
    throw new QueryError(`selector function ${state.topOrBottom}() cannot be combined with other functions`);
  }
  if (args.length < 2) {
    throw new QueryError(`invalid number of arguments for ${name}, expected at least 2, got ${args.length}`);
  }
  const size = args.at(-1)!;
  if (size.kind !== 'integer') {
    throw new QueryError(`expected integer as last argument in ${name}(), found ${formatExpression(size)}`);
  }
  if (size.value <= 0n) throw new QueryError(`limit (${size.value}) in ${name} function must be at least 1`);
  if (state.limit > 0 && size.value > BigInt(state.limit)) {
    throw new QueryError(
      `limit (${size.value}) in ${name} function can not be larger than the LIMIT (${state.limit}) in the select statement`,
    );
  }
  if (args[0]!.kind !== 'reference') {
    throw new QueryError(
      `expected first argument to be a field in ${name}(), found ${formatExpression(args[0]!)}`,
    );
  }
  for (const tag of args.slice(1, -1)) {
    if (tag.kind !== 'reference') {
      throw new QueryError(`only fields or tags are allowed in ${name}(), found ${formatExpression(tag)}`);
    }
    state.hasReferences = true;
  }
  state.topOrBottom = name;
}

function checkField(name: string, argument: Expression, state: FieldState, place: CallPlace): void {
  if (argument.kind === 'reference') return;
  if (argument.kind !== 'wildcard' && argument.kind !== 'regex') {
    throw new QueryError(`expected field argument in ${name}()`);
  }
  if (!place.allowsWildcard) {
    const what = argument.kind === 'regex' ? 'regex field' : 'wildcard';
    throw new QueryError(`unsupported expression with ${what}: ${name}()`);
  }
  state.hasOnlySelectors = false;
}

function countArguments(name: string, args: readonly Expression[], least: number, most: number): void {
  const got = args.length;
  if (got >= least && got <= most) return;
  const expected = least === most ? String(least) : `at least ${least} but no more than ${most}`;
  throw new QueryError(`invalid number of arguments for ${name}, expected ${expected}, got ${got}`);
}
