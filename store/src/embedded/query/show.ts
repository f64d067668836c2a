import { encodeSeriesKey } from '@tidemark/core';
import {
  type Expression,
  formatExpression,
  type KeyCondition,
  type MeasurementSource,
  QueryError,
  type ShowStatement,
  splitCondition,
  walk,
} from '@tidemark/influxql';
import type { QueryOptions, QuerySeries, QueryValue } from '../../engine.ts';
import { compareText } from '../../order.ts';
import type { Reader } from '../reader.ts';
import type { TagSet } from '../series.ts';
import { Catalog, tagOf } from './catalog.ts';
import { decide } from './conditions.ts';
import { Regexes, textsOf } from './regexes.ts';
import { RETENTION_POLICY } from './resolve.ts';
import { measurementPasses } from './show-measurements.ts';

interface Show {
  statement: ShowStatement;
  catalog: Catalog;
  regexes: Regexes;
  /** The condition without what it says of time: what there is to show has no time. */
  filter: Expression | undefined;
}

/** Answers a SHOW from what is in memory. Throws QueryError where InfluxDB answers with an error. */
export async function answerShow(
  reader: Reader,
  statement: ShowStatement,
  { nowNs, database }: QueryOptions,
): Promise<QuerySeries[]> {
  const { target } = statement;
  if (target === 'databases') return [rowsOf('databases', ['name'], [[database]])];
  if (target === 'retention policies') return [retentionPolicies(statement.database, database)];
  if (isElsewhere(statement, database)) return [];
  const { filter, range } = splitCondition(statement.where, { nowNs, timeZone: undefined });
  if (target === 'measurements' && (range.minNs ?? range.maxNs) !== undefined) {
    throw new QueryError("SHOW MEASUREMENTS doesn't support time in WHERE clause");
  }
  const sources = regexesIn(statement);
  const regexes = await Regexes.match(reader, sources, sources.length === 0 ? [] : textsOf(reader));
  const show: Show = { statement, catalog: new Catalog(reader.series), regexes, filter };
  switch (target) {
    case 'measurements':
      return measurements(show);
    case 'tag keys':
      return byMeasurement(show, ['tagKey'], (name) => tagKeys(show, name));
    case 'tag values':
      return byMeasurement(show, ['key', 'value'], (name) => tagValues(show, name));
    case 'field keys':
      return byMeasurement(show, ['fieldKey', 'fieldType'], (name) =>
        [...show.catalog.fields(name)]
          .sort(([a], [b]) => compareText(a, b))
          .map(([key, type]) => [key, type]),
      );
    default:
      return series(show);
  }
}

function rowsOf(name: string | undefined, columns: readonly string[], values: QueryValue[][]): QuerySeries {
  return { name, tags: undefined, columns, hasTime: false, values };
}

function retentionPolicies(asked: string | undefined, database: string): QuerySeries {
  const columns = ['name', 'duration', 'shardGroupDuration', 'replicaN', 'default'];
  const isOurs = asked === undefined || asked === database;
  return rowsOf(undefined, columns, isOurs ? [[RETENTION_POLICY, '0s', '168h0m0s', 1, true]] : []);
}

/** True for measurements of another database, of which there are none; the rest cannot be asked for there. */
function isElsewhere({ target, database, sources }: ShowStatement, ours: string): boolean {
  const other = [database, ...sources.map((source) => source.database)].find(
    (name) => name !== undefined && name !== ours,
  );
  if (other === undefined) return false;
  if (target === 'measurements') return true;
  const usesPolicy = database === other && (target === 'tag keys' || target === 'tag values');
  throw new QueryError(
    usesPolicy ? `default retention policy not set for: ${other}` : `database not found: ${other}`,
  );
}

function regexesIn({ sources, where, withKey }: ShowStatement): string[] {
  const found = sources.flatMap(({ regex }) => (regex === undefined ? [] : [regex]));
  if (withKey !== undefined && 'regex' in withKey) found.push(withKey.regex);
  if (where !== undefined) {
    walk(where, (node) => {
      if (node.kind === 'regex') found.push(node.source);
      return true;
    });
  }
  return found;
}

function isNamed(name: string, sources: readonly MeasurementSource[], regexes: Regexes): boolean {
  if (sources.length === 0) return true;
  return sources.some((source) =>
    source.regex === undefined ? source.name === name : regexes.test(source.regex, name),
  );
}

function namesOf({ statement, catalog, regexes }: Show): string[] {
  return catalog.measurements().filter((name) => isNamed(name, statement.sources, regexes));
}

function page<T>(items: readonly T[], { limit, offset }: ShowStatement): readonly T[] {
  return items.slice(offset, limit === 0 ? undefined : offset + limit);
}

function measurements(show: Show): QuerySeries[] {
  const { filter, catalog, regexes, statement } = show;
  const passing = namesOf(show).filter(
    (name) => filter === undefined || measurementPasses(filter, name, catalog, regexes),
  );
  const values = page(passing, statement).map((name) => [name]);
  return values.length === 0 ? [] : [rowsOf('measurements', ['name'], values)];
}

/** A series for each measurement that has rows. */
function byMeasurement(
  show: Show,
  columns: readonly string[],
  rowsFor: (name: string) => readonly QueryValue[][],
): QuerySeries[] {
  return namesOf(show)
    .map((name) => rowsOf(name, columns, [...page(rowsFor(name), show.statement)]))
    .filter(({ values }) => values.length > 0);
}

/** Tag sets for which the condition holds. */
function passing({ catalog, filter, regexes, statement }: Show, name: string): TagSet[] {
  return catalog.tagSets(name, filter).filter((tagSet) => {
    const verdict = filter === undefined ? true : decide(filter, tagSet, regexes);
    if (typeof verdict === 'boolean') return verdict;
    if (statement.target === 'series') throw new QueryError('invalid tag comparison operator');
    throw new QueryError(`expression too complex for metaquery: ${formatExpression(verdict)}`);
  });
}

function tagKeys(show: Show, name: string): QueryValue[][] {
  const keys = new Set(passing(show, name).flatMap(({ tags }) => tags.map(([key]) => key)));
  return [...keys].sort(compareText).map((key) => [key]);
}

function tagValues(show: Show, name: string): QueryValue[][] {
  const { catalog, statement, regexes } = show;
  const tagSets = passing(show, name);
  return catalog
    .tagKeys(name)
    .filter((key) => isWanted(key, statement.withKey!, regexes))
    .flatMap((key) => {
      const values = new Set(tagSets.map((tagSet) => tagOf(tagSet, key)));
      values.delete('');
      return [...values].sort(compareText).map((value) => [key, value]);
    });
}

function isWanted(key: string, condition: KeyCondition, regexes: Regexes): boolean {
  switch (condition.operator) {
    case '=':
      return condition.key === key;
    case '!=':
      return condition.key !== key;
    case '=~':
      return regexes.test(condition.regex, key);
    case '!~':
      return !regexes.test(condition.regex, key);
    case 'IN':
      return condition.keys.includes(key);
  }
}

function series(show: Show): QuerySeries[] {
  const keys = namesOf(show).flatMap((name) =>
    passing(show, name).map(({ measurement, tags }) => encodeSeriesKey(measurement, tags)),
  );
  const values = page(keys.sort(compareText), show.statement).map((key) => [key]);
  return values.length === 0 ? [] : [rowsOf(undefined, ['key'], values)];
}
