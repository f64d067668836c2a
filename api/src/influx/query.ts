import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { TidemarkError } from '@tidemark/core';
import type { ParsedStatement } from '@tidemark/influxql';
import type { InfluxqlPort } from '@tidemark/store';
import type { Context } from 'hono';
import type { ApiEnv, ApiParts } from '../parts.ts';
import { jsonContent } from '../schemas.ts';
import { textBody } from '../text-stream.ts';
import { csvResults } from './csv-results.ts';
import { described, fault } from './docs.ts';
import { HeldRows } from './held-rows.ts';
import { jsonResults } from './json-results.ts';
import { type QueryRequest, readQueryRequest } from './query-request.ts';
import { countRows } from './results.ts';
import { otherDatabase, parseQuery, runStatements } from './run-statements.ts';

const parameters = z.object({
  db: described(
    'The database: `tidemark`, or what `INFLUX_BUCKET` says; needed where the query names none',
    'tidemark',
  ),
  q: described(
    'One or several statements, `SELECT` or `SHOW`; `CREATE DATABASE` of the one there is does nothing',
    'SELECT mean(temperature) FROM readings',
  ),
  epoch: described('Times as numbers of this unit; else RFC 3339').openapi({
    enum: ['ns', 'u', 'ms', 's', 'm', 'h'],
  }),
  pretty: described('`true`: JSON for people'),
  chunked: described('`true`: results in pieces'),
  chunk_size: described('Rows of a piece; 10000 by default'),
  params: described('Values for `$name` in the query, as a JSON object'),
  rp: described('Retention policy: none or `autogen`'),
  u: described('User: any will do'),
  p: described('API token'),
});
const shared = {
  path: '/query',
  tags: ['InfluxDB'],
  responses: {
    200: {
      description: 'A result for each statement, or the error it ended with; CSV by `Accept`',
      content: jsonContent(z.object({ results: z.array(z.unknown()) })),
    },
    400: fault('The query cannot be parsed, or what it asks is not answered here'),
    401: fault('No token, or none of ours'),
    403: fault('The request names a host that is not allowed'),
    413: fault('The query is too long'),
    503: fault('The store cannot answer now'),
  },
};
const getRoute = createRoute({
  ...shared,
  method: 'get',
  summary: 'Ask in InfluxQL',
  description: 'As InfluxDB 1 and 2 answer it, on both stores.',
  request: { query: parameters },
});
const postRoute = createRoute({
  ...shared,
  method: 'post',
  summary: 'Ask in InfluxQL, by form',
  description: 'As by GET, with the parameters in the query string or in a form.',
  request: {
    query: parameters,
    body: { content: { 'application/x-www-form-urlencoded': { schema: parameters } } },
  },
});

/** `GET` and `POST /query`: InfluxQL, as InfluxDB 1 and 2 answer it. */
export function influxQuery(app: OpenAPIHono<ApiEnv>, parts: ApiParts): void {
  app.openAPIRegistry.registerPath(getRoute);
  app.openAPIRegistry.registerPath(postRoute);
  const held = new HeldRows();
  app.on(['GET', 'POST'], '/query', (c) => answer(c, parts, held));
}

async function answer(
  c: Context<ApiEnv>,
  { engine, config, clock }: ApiParts,
  held: HeldRows,
): Promise<Response> {
  const request = await readQueryRequest(c);
  const { bucket: database } = config.influx;
  const statements = await parseQuery(request, database);
  const { influxql } = engine;
  if (influxql.kind === 'passed') return pass(c, { influxql, request, statements, database });
  const results = await runStatements(statements, request, { influxql, database, clock });
  const release = held.take(countRows(results));
  const isCsv = request.csv !== undefined && request.chunkRows === undefined;
  const text = isCsv ? csvResults(results, request.epoch) : jsonResults(results, request);
  const headers = { 'content-type': isCsv ? request.csv! : 'application/json' };
  return new Response(textBody(text, release), { headers });
}

interface Passing {
  influxql: Extract<InfluxqlPort, { kind: 'passed' }>;
  request: QueryRequest;
  statements: readonly ParsedStatement[];
  database: string;
}

/** Passes on what is SELECT or SHOW on our database, and answers itself what is about databases. */
async function pass(
  c: Context<ApiEnv>,
  { influxql, request, statements, database }: Passing,
): Promise<Response> {
  const other = [request.database, otherDatabase(statements, database)].find(
    (name) => name !== undefined && name !== database,
  );
  if (other !== undefined) throw new TidemarkError('bad_request', `database not found: ${other}`);
  const own = statements.find(isAboutDatabases);
  if (own !== undefined) {
    if (statements.length > 1) {
      throw new TidemarkError('bad_request', 'SHOW and CREATE DATABASE must stand alone in a query');
    }
    const list = {
      name: 'databases',
      tags: undefined,
      columns: ['name'],
      hasTime: false,
      values: [[database]],
    };
    const series = own.kind === 'show' ? [list] : [];
    return new Response([...jsonResults([{ statement: 0, series }], request)].join(''), {
      headers: { 'content-type': 'application/json' },
    });
  }
  const parameters = {
    ...(request.parameters !== undefined && { params: request.parameters }),
    ...(request.epoch !== undefined && { epoch: request.epoch }),
    ...(request.retentionPolicy !== undefined && { rp: request.retentionPolicy }),
    ...(request.chunkRows !== undefined && { chunked: 'true', chunk_size: String(request.chunkRows) }),
    ...(request.isPretty && { pretty: 'true' }),
  };
  const passed = await influxql.pass({ text: request.text, parameters, accept: c.req.header('accept') });
  return new Response(passed.body, {
    status: passed.status,
    headers: { 'content-type': passed.contentType },
  });
}

/** True for what is not passed on: the server would list others, and create none. */
function isAboutDatabases(statement: ParsedStatement): boolean {
  return (
    statement.kind === 'create database' || (statement.kind === 'show' && statement.target === 'databases')
  );
}
