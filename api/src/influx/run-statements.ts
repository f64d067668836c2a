import { type Clock, parseJson, TidemarkError } from '@tidemark/core';
import type { ParsedStatement, SelectStatement, ShowStatement, Source, Statement } from '@tidemark/influxql';
import { type InfluxqlPort, MAX_QUERY_ROWS } from '@tidemark/store';
import type { QueryRequest } from './query-request.ts';
import { countRows, type Result } from './results.ts';

/** More is no query but a script. */
const MAX_STATEMENTS = 100;

interface RunOptions {
  influxql: Extract<InfluxqlPort, { kind: 'own' }>;
  /** The name of the one database. */
  database: string;
  clock: Clock;
}

/**
 * Reads the query and its parameters, JSON. Throws `bad_request`: with InfluxDB's message where it is none, and where it
 * would create another database than the one there is.
 */
export async function parseQuery(
  { text, parameters }: QueryRequest,
  database: string,
): Promise<ParsedStatement[]> {
  // Loaded with the first query, so that the platform starts without it.
  const { ParseError, parseInfluxql } = await import('@tidemark/influxql/parser');
  let statements: ParsedStatement[];
  try {
    statements = parseInfluxql(text, parametersOf(parameters));
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    throw notParsed(error.message);
  }
  if (statements.length > MAX_STATEMENTS) {
    throw new TidemarkError(
      'bad_request',
      `a query may have ${MAX_STATEMENTS} statements, this has ${statements.length}`,
    );
  }
  for (const statement of statements) {
    if (statement.kind !== 'create database' || statement.name === database) continue;
    const [asked, ours] = [statement.name, database].map((name) => JSON.stringify(name));
    throw new TidemarkError('bad_request', `database ${asked} cannot be created; there is ${ours} alone`);
  }
  return statements;
}

function parametersOf(json: string | undefined): Record<string, unknown> {
  if (json === undefined) return {};
  let parameters: unknown;
  try {
    parameters = parseJson(json);
  } catch (error) {
    throw badParameters((error as Error).message);
  }
  const isObject = typeof parameters === 'object' && parameters !== null && !Array.isArray(parameters);
  if (!isObject) throw badParameters('they are no object');
  return parameters as Record<string, unknown>;
}

function badParameters(why: string): TidemarkError {
  return new TidemarkError('bad_request', `error parsing query parameters: ${why}`);
}

/** Answers statements one after another, up to the first that fails. */
export async function runStatements(
  statements: readonly ParsedStatement[],
  request: QueryRequest,
  { influxql, database, clock }: RunOptions,
): Promise<Result[]> {
  const results: Result[] = [];
  for (const [statement, asked] of statements.entries()) {
    try {
      // It is there: InfluxDB 1 says no more than that, too.
      if (asked.kind === 'create database') {
        results.push({ statement, series: [] });
        continue;
      }
      const placed = inPlace(asked, request, database);
      const series = await influxql.answer(placed, { nowNs: clock.nowNs(), database });
      results.push({ statement, series });
      const rows = countRows(results);
      if (rows > MAX_QUERY_ROWS) throw tooMany(rows);
    } catch (error) {
      if (!(error instanceof TidemarkError) || error.retryable) throw error;
      if ('isSyntax' in error && error.isSyntax === true) throw notParsed(error.message);
      results[statement] = { statement, series: [], error: error.message };
      break;
    }
  }
  return results;
}

function notParsed(message: string): TidemarkError {
  return new TidemarkError('bad_request', `failed to parse query: ${message}`);
}

function tooMany(rows: number): TidemarkError {
  return new TidemarkError('bad_request', `max-select-point limit exceeded: (${rows}/${MAX_QUERY_ROWS})`);
}

/** The statement with the database and retention policy of the request where it names none. */
function inPlace(statement: Statement, request: QueryRequest, database: string): Statement {
  if (statement.kind === 'show') return showInPlace(statement, request, database);
  return selectInPlace(statement, request);
}

function showInPlace(statement: ShowStatement, { database }: QueryRequest, ours: string): ShowStatement {
  if (statement.target === 'databases') return statement;
  const asked = statement.database ?? database;
  const named = statement.sources.every((source) => source.database !== undefined);
  if (asked === undefined && !(named && statement.sources.length > 0)) throw noDatabase();
  return { ...statement, database: asked ?? ours };
}

function selectInPlace(select: SelectStatement, request: QueryRequest): SelectStatement {
  return {
    ...select,
    sources: select.sources.map((source): Source => {
      if (source.kind === 'subquery')
        return { kind: 'subquery', select: selectInPlace(source.select, request) };
      const database = source.database ?? request.database;
      if (database === undefined) throw noDatabase();
      return { ...source, database, retentionPolicy: source.retentionPolicy ?? request.retentionPolicy };
    }),
  };
}

function noDatabase(): TidemarkError {
  return new TidemarkError('bad_request', 'database name required');
}

/** A database that statements name, other than ours; undefined when there is none. */
export function otherDatabase(statements: readonly ParsedStatement[], ours: string): string | undefined {
  const named = statements.flatMap(databasesOf);
  return named.find((name) => name !== ours);
}

function databasesOf(statement: ParsedStatement): string[] {
  if (statement.kind === 'create database') return [statement.name];
  const own = statement.kind === 'show' && statement.database !== undefined ? [statement.database] : [];
  const sources: readonly Source[] = statement.sources;
  return [
    ...own,
    ...sources.flatMap((source) => {
      if (source.kind === 'subquery') return databasesOf(source.select);
      return source.database === undefined ? [] : [source.database];
    }),
  ];
}
