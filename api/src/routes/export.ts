import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { isOwnMeasurement, type Point } from '@tidemark/core';
import type { PointsQuery } from '@tidemark/store';
import type { ApiEnv, ApiParts } from '../parts.ts';
import {
  filterParameters,
  listParameter,
  MAX_TIME_NS,
  MIN_TIME_NS,
  rangeParameters,
  toFilter,
  toRange,
} from '../query.ts';
import { problems } from '../schemas.ts';
import { CsvText, csvHeader } from '../transfer/csv-text.ts';
import { contentTypeOf, extensionOf, type TransferFormat, transferFormats } from '../transfer/formats.ts';
import { LineText } from '../transfer/line-text.ts';
import type { ParquetTransfers } from '../transfer/parquet.ts';
import { textOf } from '../transfer/text.ts';

const binary = { schema: z.string().openapi({ type: 'string', format: 'binary' }) };

const route = createRoute({
  method: 'get',
  path: '/api/v1/export',
  tags: ['Export and import'],
  summary: 'All values that are stored and match, as a file',
  description:
    'In no promised order; `POST /api/v1/import` brings the same points back. An answer that breaks off was not all: ' +
    'its connection ends without the last chunk. What is written meanwhile may be missing. Parquet is made whole before the answer begins.',
  request: {
    query: z.strictObject({
      format: z.enum(transferFormats).default('csv').openapi({
        description:
          '`csv` and `parquet` hold a row for each value, `line` is line protocol with nanoseconds.',
      }),
      measurement: listParameter(
        'Only these measurements. Default: all but those that the platform itself writes.',
        ['readings'],
      ).optional(),
      ...filterParameters,
      ...rangeParameters('everything', 'everything'),
    }),
  },
  responses: {
    200: {
      description: 'The file',
      content: {
        'text/csv': {
          schema: z.string().openapi({
            example:
              'time,measurement,sensor,location,tags,field,type,value\r\n2026-05-01T12:00:00.25Z,readings,greenhouse-1,north-hall,,temperature,float,21.5\r\n',
          }),
        },
        'text/plain': {
          schema: z.string().openapi({
            example: 'readings,location=north-hall,sensor=greenhouse-1 temperature=21.5 1777636800250000000',
          }),
        },
        'application/vnd.apache.parquet': binary,
      },
    },
    ...problems(400, 409, 503),
  },
});

/** `GET /api/v1/export`. */
export function exportPoints(
  app: OpenAPIHono<ApiEnv>,
  { engine, clock }: ApiParts,
  parquet: ParquetTransfers,
): void {
  app.openAPIRegistry.registerPath(route);
  app.openapi(route, async (c) => {
    const { format, measurement, ...query } = c.req.valid('query');
    // Nobody would read the file to its end, or give it up.
    if (c.req.method === 'HEAD') return new Response(null, { headers: headersOf(format) });
    const defaults = { nowNs: clock.nowNs(), fromNs: () => MIN_TIME_NS, toNs: MAX_TIME_NS + 1n };
    const wanted: PointsQuery = {
      measurements: measurement ?? (await userMeasurements(engine)),
      ...toFilter(query),
      ...toRange(query, defaults),
    };
    const points = engine.points(wanted);
    const file = format === 'parquet' ? parquet.write(points, c.req.raw.signal) : textFile(format, points);
    return answer(file, format);
  });
}

async function userMeasurements(engine: ApiParts['engine']): Promise<string[]> {
  const names = (await engine.fields()).map(({ measurement }) => measurement);
  return [...new Set(names)].filter((name) => !isOwnMeasurement(name));
}

function textFile(
  format: 'csv' | 'line',
  points: AsyncIterable<readonly Point[]>,
): AsyncGenerator<Uint8Array> {
  if (format === 'line') return textOf(points, new LineText());
  return textOf(points, new CsvText(), csvHeader);
}

/** The answer begins when its first bytes are known: what fails before is a problem with its status. */
async function answer(file: AsyncGenerator<Uint8Array>, format: TransferFormat): Promise<Response> {
  let next: IteratorResult<Uint8Array> | undefined = await file.next();
  const body = new ReadableStream<Uint8Array>(
    {
      pull: async (stream) => {
        const { done, value } = next ?? (await file.next());
        next = undefined;
        if (done === true) stream.close();
        else stream.enqueue(value);
      },
      cancel: async () => void (await file.return(undefined)),
    },
    { highWaterMark: 0 },
  );
  return new Response(body, { headers: headersOf(format) });
}

function headersOf(format: TransferFormat): Record<string, string> {
  return {
    'content-type': contentTypeOf[format],
    'content-disposition': `attachment; filename="tidemark.${extensionOf[format]}"`,
  };
}
