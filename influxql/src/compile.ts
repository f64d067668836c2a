import type { Dimension, Expression, FillOption, SelectField, SelectStatement } from './ast.ts';
import { checkCall, type FieldState } from './check-call.ts';
import { formatExpression } from './format.ts';
import { isMathFunction, mathArity } from './functions.ts';
import { QueryError } from './query-error.ts';
import { isTimeText, type Moment, reduce, timeOfText } from './reduce.ts';
import { intersect, splitCondition, type TimeRange } from './time-range.ts';

/** Windows of `GROUP BY time()`; the offset is less than a window long. */
export interface Interval {
  everyNs: bigint;
  offsetNs: bigint;
}

/** A SELECT that InfluxDB would take, with what follows from its text alone. */
export interface CompiledSelect {
  /** Without `time`, and with constants computed. */
  fields: readonly SelectField[];
  sources: readonly (Exclude<SelectStatement['sources'][number], { kind: 'subquery' }> | CompiledSubquery)[];
  dimensions: readonly Exclude<Dimension, { kind: 'call' }>[];
  interval: Interval | undefined;
  fill: FillOption;
  order: 'asc' | 'desc';
  limit: number;
  offset: number;
  seriesLimit: number;
  seriesOffset: number;
  timeZone: string | undefined;
  filter: Expression | undefined;
  range: TimeRange;
  /** True when no function but mathematical ones is called. */
  isRaw: boolean;
  /** Name of the column of time. */
  timeName: string;
}

export interface CompiledSubquery {
  kind: 'subquery';
  select: CompiledSelect;
}

interface Parent {
  order: 'asc' | 'desc';
  range: TimeRange;
  interval: Interval | undefined;
}

/** Checks a SELECT as InfluxDB does before it looks at any data. Throws QueryError with InfluxDB's message. */
export function compileSelect(select: SelectStatement, nowNs: bigint, parent?: Parent): CompiledSelect {
  const moment: Moment = { nowNs, timeZone: select.timeZone };
  const { filter, range } = splitCondition(select.where, moment);
  if (filter !== undefined) checkCondition(filter);
  const own = intervalOf(select.groupBy, moment);
  if (parent !== undefined && select.isOrdered && select.order !== parent.order) {
    throw new QueryError('subqueries must be ordered in the same direction as the query itself');
  }
  const order = parent?.order ?? select.order;
  const state: FieldState = {
    interval: own ?? parent?.interval,
    inheritsInterval: own === undefined && parent?.interval !== undefined,
    limit: select.limit,
    calls: [],
    hasOnlySelectors: true,
    hasDistinct: false,
    hasReferences: false,
    topOrBottom: undefined,
  };
  const { fields, timeName } = compileFields(select.fields, state);
  checkFields(fields, select.fill, state);
  const reached = intersect(range, parent?.range ?? range);
  const inner: Parent = { order, range: reached, interval: state.interval };
  return {
    ...select,
    fields,
    sources: select.sources.map((source) =>
      source.kind === 'subquery'
        ? { kind: 'subquery', select: compileSelect(source.select, nowNs, inner) }
        : source,
    ),
    dimensions: select.groupBy.filter((dimension) => dimension.kind !== 'call'),
    interval: own,
    order,
    filter,
    range,
    isRaw: state.calls.length === 0,
    timeName,
  };
}

function compileFields(
  selected: readonly SelectField[],
  state: FieldState,
): { fields: SelectField[]; timeName: string } {
  let timeName = 'time';
  const fields: SelectField[] = [];
  for (const field of selected) {
    if (field.expression.kind === 'reference' && field.expression.name === 'time') {
      timeName = field.alias ?? timeName;
      continue;
    }
    const expression = reduce(field.expression, undefined);
    checkExpression(expression, state, { allowsWildcard: true });
    fields.push({ expression, alias: field.alias });
  }
  return { fields, timeName };
}

/** Where in a field an expression stands. */
interface Place {
  /** No wildcard may stand beside an operator. */
  allowsWildcard: boolean;
}

function checkExpression(expression: Expression, state: FieldState, place: Place): void {
  switch (expression.kind) {
    case 'reference':
      state.hasReferences = true;
      return;
    case 'wildcard':
    case 'regex':
      if (!place.allowsWildcard) {
        throw new QueryError(`unable to use ${expression.kind} in a binary expression`);
      }
      state.hasReferences = true;
      return;
    case 'paren':
      checkExpression(expression.inner, state, place);
      return;
    case 'binary':
      checkBinary(expression, state, place);
      return;
    case 'call':
      if (isMathFunction(expression.name)) checkMath(expression, state, place);
      else
        checkCall(expression, state, {
          ...place,
          checkNested: (nested) => checkExpression(nested, state, place),
        });
      return;
    default:
      throw new QueryError('field must contain at least one variable');
  }
}

function checkBinary(
  { left, right }: Extract<Expression, { kind: 'binary' }>,
  state: FieldState,
  place: Place,
): void {
  place.allowsWildcard = false;
  const sides = [left, right].filter((side) => !isLiteral(side));
  if (sides.length === 0) throw new QueryError('cannot perform a binary expression on two literals');
  for (const side of sides) checkExpression(side, state, place);
}

function checkMath(
  { name, args }: Extract<Expression, { kind: 'call' }>,
  state: FieldState,
  place: Place,
): void {
  checkArity(name, args.length, mathArity(name));
  for (const arg of args) if (!isLiteral(arg)) checkExpression(arg, state, place);
}

function checkArity(name: string, got: number, expected: number): void {
  if (got === expected) return;
  throw new QueryError(`invalid number of arguments for ${name}, expected ${expected}, got ${got}`);
}

function isLiteral({ kind }: Expression): boolean {
  return (
    kind !== 'reference' && kind !== 'wildcard' && kind !== 'call' && kind !== 'paren' && kind !== 'binary'
  );
}

/** Whether the fields of a statement go together. */
function checkFields(fields: readonly SelectField[], fill: FillOption, state: FieldState): void {
  const { calls, topOrBottom } = state;
  if (fields.length === 0) throw new QueryError('at least 1 non-time field must be queried');
  if (calls.length > 1 && topOrBottom !== undefined) {
    throw new QueryError(`selector function ${topOrBottom}() cannot be combined with other functions`);
  }
  if (calls.length === 0) {
    if (fill.kind === 'none' || fill.kind === 'linear') {
      throw new QueryError(`fill(${fill.kind}) must be used with a function`);
    }
    if (state.interval !== undefined && !state.inheritsInterval) {
      throw new QueryError('GROUP BY requires at least one aggregate function');
    }
  }
  if (state.hasDistinct && (calls.length !== 1 || state.hasReferences)) {
    throw new QueryError('aggregate function distinct() cannot be combined with other functions or fields');
  }
  if (!state.hasReferences) return;
  if (!state.hasOnlySelectors) {
    throw new QueryError('mixing aggregate and non-aggregate queries is not supported');
  }
  if (calls.length > 1) {
    throw new QueryError('mixing multiple selector functions with tags or fields is not supported');
  }
}

function checkCondition(condition: Expression): void {
  if (condition.kind === 'binary') {
    checkCondition(condition.left);
    checkCondition(condition.right);
  }
  if (condition.kind !== 'call') return;
  if (!isMathFunction(condition.name)) {
    throw new QueryError(`invalid function call in condition: ${formatExpression(condition)}`);
  }
  checkArity(condition.name, condition.args.length, condition.name === 'log' ? 1 : mathArity(condition.name));
  for (const arg of condition.args) checkCondition(arg);
}

function intervalOf(dimensions: readonly Dimension[], moment: Moment): Interval | undefined {
  let interval: Interval | undefined;
  for (const dimension of dimensions) {
    if (dimension.kind === 'tag' && dimension.name.toLowerCase() === 'time') {
      throw new QueryError('time() is a function and expects at least one argument');
    }
    if (dimension.kind !== 'call') continue;
    const { name, args } = dimension;
    if (name !== 'time') throw new QueryError('only time() calls allowed in dimensions');
    if (args.length < 1 || args.length > 2) throw new QueryError('time dimension expected 1 or 2 arguments');
    const every = reduce(args[0]!, undefined);
    if (every.kind !== 'duration') throw new QueryError('time dimension must have duration argument');
    if (interval !== undefined) throw new QueryError('multiple time dimensions not allowed');
    if (every.ns <= 0n) continue;
    interval = { everyNs: every.ns, offsetNs: offsetOf(args[1], every.ns, moment) };
  }
  return interval;
}

function offsetOf(argument: Expression | undefined, everyNs: bigint, moment: Moment): bigint {
  if (argument === undefined) return 0n;
  const offset = reduce(argument, undefined);
  if (offset.kind === 'duration') return offset.ns % everyNs;
  if (offset.kind === 'string' && isTimeText(offset.value)) {
    return sinceYearOne(timeOfText(offset.value, moment.timeZone)) % everyNs;
  }
  if (offset.kind !== 'call') throw new QueryError('time dimension offset must be duration or now()');
  if (offset.name !== 'now') throw new QueryError('time dimension offset function must be now()');
  if (offset.args.length > 0) {
    throw new QueryError('time dimension offset now() function requires no arguments');
  }
  return sinceYearOne(moment.nowNs) % everyNs;
}

/** InfluxDB takes offsets that are times from here. */
function sinceYearOne(timeNs: bigint): bigint {
  return timeNs + 62_135_596_800_000_000_000n;
}
