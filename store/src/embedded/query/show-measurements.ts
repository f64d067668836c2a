import { type Expression, QueryError } from '@tidemark/influxql';
import { type Catalog, tagOf } from './catalog.ts';
import type { Regexes } from './regexes.ts';

/**
 * Whether SHOW MEASUREMENTS shows a measurement under a condition. InfluxDB asks it of each comparison by itself:
 * `=` and `=~` hold when some value of the tag matches, `!=` and `!~` when the tag is there and no value does.
 */
export function measurementPasses(
  condition: Expression,
  name: string,
  catalog: Catalog,
  regexes: Regexes,
): boolean {
  if (condition.kind === 'paren') return measurementPasses(condition.inner, name, catalog, regexes);
  if (condition.kind === 'boolean') return condition.value;
  if (condition.kind !== 'binary') throw new QueryError('invalid tag comparison operator');
  const { operator, left, right } = condition;
  if (operator === 'AND' || operator === 'OR') {
    const sides = [left, right].map((side) => measurementPasses(side, name, catalog, regexes));
    return operator === 'AND' ? sides.every(Boolean) : sides.some(Boolean);
  }
  if (left.kind !== 'reference') throw new QueryError('invalid tag comparison operator');
  const matches = matcherOf(right, regexes);
  if (!catalog.tagKeys(name).includes(left.name)) return false;
  const values = catalog.tagSets(name).map((tagSet) => tagOf(tagSet, left.name));
  const isFound = values.some((value) => value !== '' && matches(value));
  return operator === '=' || operator === '=~' ? isFound : !isFound;
}

function matcherOf(side: Expression, regexes: Regexes): (value: string) => boolean {
  if (side.kind === 'string') return (value) => value === side.value;
  if (side.kind === 'regex') return (value) => regexes.test(side.source, value);
  throw new QueryError('invalid tag comparison operator');
}
