import { BIGINT, LIST, listValue } from '@duckdb/node-api';
import { type DataType, isNumeric, MIN_TIME_NS, QueryError } from '@tidemark/influxql';
import { MAX_WINDOWS } from '../../engine.ts';
import type { CallScope } from './calls.ts';
import { directionOf, type Frame } from './frame.ts';
import type { Relation } from './relation.ts';
import { startsOf, utcWindowOf } from './window.ts';

/** The windows that each group of an answer has. */
export interface Grid {
  count: number;
  /** In the order of the answer. */
  starts(): Iterable<bigint>;
}

/** The windows of a frame that has a beginning. Throws QueryError where they are too many for the groups there are. */
export function gridOf(frame: Frame, groups: number): Grid {
  const { startNs, endNs, interval, timeZone, isDescending } = frame;
  const { everyNs } = interval!;
  checkCount((endNs - startNs) / everyNs + 1n, groups);
  if (timeZone !== undefined) {
    const starts = startsOf(frame, startNs, endNs);
    if (isDescending) starts.reverse();
    return { count: starts.length, starts: () => starts };
  }
  const firstNs = utcWindowOf(startNs, frame);
  const lastNs = utcWindowOf(endNs, frame);
  const count = lastNs < firstNs ? 0 : Number((lastNs - firstNs) / everyNs) + 1;
  const [fromNs, stepNs] = isDescending ? [lastNs, -everyNs] : [firstNs, everyNs];
  return { count, starts: () => steps(fromNs, stepNs, count) };
}

function* steps(fromNs: bigint, stepNs: bigint, count: number): Generator<bigint> {
  for (let index = 0, timeNs = fromNs; index < count; index++, timeNs += stepNs) yield timeNs;
}

/**
 * The points of aggregates, with a point for each window without one, for every group that has any. Without a
 * beginning, windows begin with a group's first point. `names` are the functions of the first columns.
 */
export function filled(relation: Relation, names: readonly string[], scope: CallScope): Relation {
  const { frame, groups } = scope;
  if (frame.interval === undefined || frame.fill.kind === 'none' || groups.list.length === 0) return relation;
  const columns = relation.types.map((type, index) => {
    const fallback = index < names.length ? fillSql(`v${index}`, type, names[index]!, scope) : `v${index}`;
    return `${fallback} AS v${index}`;
  });
  return {
    sql: `WITH found AS (${relation.sql}), grid AS (${gridSql(scope)})
      SELECT g, t, 0::BIGINT AS o, ${columns.join(', ')}
      FROM (SELECT *, found.o IS NOT NULL AS is_there FROM grid FULL JOIN found USING (g, t))`,
    types: relation.types,
    hasTies: false,
  };
}

/** Windows of every group: (g, t). */
function gridSql({ frame, groups, context }: CallScope): string {
  const { bindings } = context;
  const { startNs, endNs, interval } = frame;
  const { everyNs } = interval!;
  const isOpen = startNs === MIN_TIME_NS;
  const firstNs = isOpen ? context.extent.firstNs : startNs;
  checkCount((endNs - firstNs) / everyNs + 1n, groups.list.length);
  if (frame.timeZone === undefined) {
    const from = isOpen ? 'min(t)' : bindings.integer(utcWindowOf(startNs, frame));
    const to = bindings.integer(utcWindowOf(endNs, frame));
    return `SELECT g, unnest(range(lo, ${to} + 1, ${bindings.integer(everyNs)})) AS t
      FROM (SELECT g, ${from} AS lo FROM found GROUP BY g)`;
  }
  const starts = bindings.add(listValue(startsOf(frame, firstNs, endNs)), LIST(BIGINT));
  const from = isOpen ? 'min(t)' : bindings.integer(MIN_TIME_NS);
  return `SELECT g, x.t FROM (SELECT g, ${from} AS lo FROM found GROUP BY g), (SELECT unnest(${starts}) AS t) x
    WHERE x.t >= lo`;
}

function checkCount(windows: bigint, groups: number): void {
  const count = windows < 0n ? 0n : windows * BigInt(groups);
  if (count <= BigInt(MAX_WINDOWS)) return;
  throw new QueryError(`max-select-buckets limit exceeded: (${count}/${MAX_WINDOWS})`);
}

/** The value of a window, computed from its neighbours where it has none. */
function fillSql(column: string, type: DataType, name: string, { frame, context }: CallScope): string {
  const order = `PARTITION BY g ORDER BY t ${directionOf(frame)}`;
  const { fill } = frame;
  switch (fill.kind) {
    case 'previous':
      return `COALESCE(${column}, last_value(${column} IGNORE NULLS) OVER (${order} ROWS UNBOUNDED PRECEDING))`;
    case 'number':
      return `CASE WHEN is_there THEN ${column} ELSE ${numberSql(Number(fill.value), type, context)} END`;
    case 'linear':
      return isNumeric(type) ? linearSql(column, type, order, frame, context) : column;
    default:
      return name === 'count' ? `COALESCE(${column}, 0)` : column;
  }
}

function numberSql(value: number, type: DataType, { bindings }: CallScope['context']): string {
  if (type === 'float') return bindings.float(value);
  if (type === 'integer' || type === 'unsigned') return bindings.whole(BigInt(Math.trunc(value)), type);
  return type === 'boolean' ? 'FALSE' : "''";
}

/** On the line between the windows before and after; InfluxDB counts time in whole windows. */
function linearSql(
  column: string,
  type: DataType,
  order: string,
  frame: Frame,
  { bindings }: CallScope['context'],
): string {
  const every = bindings.integer(frame.interval!.everyNs);
  const seen = `CASE WHEN is_there THEN {t: t // ${every}, v: ${column}::DOUBLE} END`;
  const before = `last_value(${seen} IGNORE NULLS) OVER (${order} ROWS UNBOUNDED PRECEDING)`;
  const after = `first_value(${seen} IGNORE NULLS) OVER (${order} ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING)`;
  const slope = `(${after}.v - ${before}.v) / (${after}.t - ${before}.t)`;
  const line = `${slope} * (t // ${every} - ${before}.t) + ${before}.v`
    .replaceAll(`${after}.`, `(${after}).`)
    .replaceAll(`${before}.`, `(${before}).`);
  const whole = type === 'integer' ? `CAST(trunc(${line}) AS BIGINT)` : `CAST(trunc(${line}) AS UBIGINT)`;
  return `CASE WHEN is_there THEN ${column} ELSE ${type === 'float' ? line : whole} END`;
}
