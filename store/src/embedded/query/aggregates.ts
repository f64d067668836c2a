import { type DataType, isNumeric, QueryError } from '@tidemark/influxql';
import { type Part, partOfParts } from '../parts.ts';
import { wrapped } from './expression.ts';

/** Functions that make one value of all that a window holds. */
export const plainAggregates = new Set([
  'count',
  'sum',
  'mean',
  'median',
  'mode',
  'stddev',
  'spread',
  'min',
  'max',
  'first',
  'last',
]);

/** What aggregates are made of, as SQL. */
export type Atoms = Readonly<Record<'count' | 'sum' | 'least' | 'greatest', string>>;

const atomsOfPoints: Atoms = { count: 'count(*)', sum: 'sum(v0)', least: 'min(v0)', greatest: 'max(v0)' };

/**
 * SQL of an aggregate over points (t, v0), or over what stands for several of them each. Throws QueryError where the
 * function does not take the type.
 */
export function aggregateSql(
  name: string,
  type: DataType,
  hasTies: boolean,
  { count, sum, least, greatest }: Atoms = atomsOfPoints,
): string {
  checkType(name, type);
  const isWhole = type === 'integer' || type === 'unsigned';
  switch (name) {
    case 'count':
      return count;
    case 'sum':
      return isWhole ? wrapped(sum, type) : sum;
    case 'mean':
      return isWhole ? `CAST(${wrapped(sum, type)} AS DOUBLE) / ${count}` : `${sum} / ${count}`;
    case 'min':
      return least;
    case 'max':
      return greatest;
    case 'median':
      return 'median(v0)::DOUBLE';
    case 'mode':
      return modeSql(type);
    case 'stddev':
      return `CASE WHEN count(*) < 2 THEN 'NaN'::DOUBLE ELSE stddev_samp(v0) END`;
    case 'spread':
      return isWhole ? wrapped(`${greatest}::HUGEINT - ${least}::HUGEINT`, type) : `${greatest} - ${least}`;
    case 'first':
      // Of several points at one time the greatest counts.
      return hasTies ? 'arg_max(v0, {t: -t, v: v0})' : 'arg_min(v0, t)';
    case 'last':
      return hasTies ? 'arg_max(v0, {t: t, v: v0})' : 'arg_max(v0, t)';
    default:
      return `${name}(v0)`;
  }
}

const partNames: Partial<Record<string, Part[]>> = {
  count: ['n'],
  sum: ['total'],
  mean: ['n', 'total'],
  min: ['low'],
  max: ['high'],
  spread: ['low', 'high'],
};

/** The parts of series that aggregates follow from; undefined where they need all points together. */
export function partsOfAggregates(names: readonly string[]): Part[] | undefined {
  const parts = names.map((name) => partNames[name]);
  return parts.every((part) => part !== undefined) ? [...new Set(parts.flat())] : undefined;
}

/** Of the parts of several series. */
export const atomsOfParts: Atoms = {
  count: 'sum(n)::BIGINT',
  sum: partOfParts.total,
  least: partOfParts.low,
  greatest: partOfParts.high,
};

/** What comes most often; of several, what came first. Booleans: true. */
function modeSql(type: DataType): string {
  if (type === 'boolean') return 'count(*) FILTER (WHERE v0) >= count(*) FILTER (WHERE NOT v0)';
  return 'mode(v0 ORDER BY v0)';
}

/** The order by which a selector picks: the greatest key. */
export function selectorKey(name: string): { pick: 'arg_max' | 'arg_min'; key: string } {
  switch (name) {
    case 'min':
      return { pick: 'arg_min', key: '{v: v0, t: t, o: o}' };
    case 'max':
      return { pick: 'arg_max', key: '{v: v0, t: -t, o: -o}' };
    case 'first':
      return { pick: 'arg_max', key: '{t: -t, v: v0, o: -o}' };
    default:
      return { pick: 'arg_max', key: '{t: t, v: v0, o: -o}' };
  }
}

/** The same as an order of points: what a selector picks comes first. */
export function selectorOrder(name: string): string {
  switch (name) {
    case 'min':
      return 'v0, t, o';
    case 'max':
      return 'v0 DESC, t, o';
    case 'first':
      return 't, v0 DESC, o';
    default:
      return 't DESC, v0 DESC, o';
  }
}

const takesAll = new Set(['count', 'first', 'last', 'mode', 'distinct', 'sample', 'elapsed']);
const takesBooleans = new Set(['min', 'max']);
const typeNames: Partial<Record<DataType, string>> = { string: 'string', tag: 'string', boolean: 'boolean' };

/** Throws InfluxDB's error where a function does not take a type. */
export function checkType(name: string, type: DataType): void {
  if (isNumeric(type) || type === 'unknown' || takesAll.has(name)) return;
  if (type === 'boolean' && takesBooleans.has(name)) return;
  const kind =
    name === 'moving_average' ? 'moving average' : name.replace('non_negative_', '').replace('_', ' ');
  throw new QueryError(`unsupported ${kind} iterator type: *query.${typeNames[type]}InterruptIterator`);
}
