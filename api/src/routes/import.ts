import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { type ImportedRow, TidemarkError, type TimeUnitName, timeUnits } from '@tidemark/core';
import { readBody } from '../body/read-body.ts';
import { wholeLines } from '../body/whole-lines.ts';
import type { ApiEnv, ApiParts } from '../parts.ts';
import { invalidFields, issuesOf, problemOf } from '../problem.ts';
import { jsonContent, problems } from '../schemas.ts';
import { readCsvRows } from '../transfer/csv-rows.ts';
import { type TransferFormat, transferFormats } from '../transfer/formats.ts';
import { readLineRows } from '../transfer/line-text.ts';
import type { ParquetTransfers } from '../transfer/parquet.ts';
import { answerWithProgress, wantsProgress } from '../transfer/progress.ts';
import { RowIntake } from '../transfer/row-intake.ts';

/** Rows, or bytes of lines, that are accepted at once. */
const BATCH_ROWS = 2000;
const PART_BYTES = 256 * 1024;

const formatOfType: Record<string, TransferFormat> = {
  'text/csv': 'csv',
  'text/plain': 'line',
  'application/vnd.apache.parquet': 'parquet',
};

const file = { schema: z.string().openapi({ type: 'string', format: 'binary' }) };
const route = createRoute({
  method: 'post',
  path: '/api/v1/import',
  tags: ['Export and import'],
  summary: 'Store the rows of a file',
  description:
    'Reads what `GET /api/v1/export` writes; answered once all is on stable storage. Rows that cannot be stored go to the ' +
    'quarantine and cost themselves alone. The same file again changes nothing, so after a fault send it again. Rows that ' +
    'were accepted before a fault stay. Who accepts `application/x-ndjson` is told each second how far it has come, by lines of ' +
    'JSON with `event`: `progress`, and at last `done` or, with the members of a problem, `failed`.',
  request: {
    query: z.strictObject({
      format: z
        .enum(transferFormats)
        .optional()
        .openapi({ description: "Default: what the body's type says." }),
      precision: z
        .enum(['ns', 'us', 'ms', 's'])
        .default('ns')
        .openapi({ description: 'Unit of the timestamps of line protocol.' }),
      firstRow: z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER).default(1).openapi({
        description: "Number of the body's first row (line protocol: line), for files sent in parts.",
      }),
    }),
    body: {
      required: true,
      content: { 'text/csv': file, 'text/plain': file, 'application/vnd.apache.parquet': file },
    },
  },
  responses: {
    200: {
      description: 'What became of the rows',
      content: jsonContent(
        z
          .object({
            accepted: z.int().openapi({ description: 'Points on stable storage.' }),
            refused: z.int().openapi({ description: 'Rows in the quarantine.' }),
            rows: z.int().openapi({ description: 'Rows (line protocol: lines) that were read.' }),
            rejected: z.array(
              z.object({
                row: z
                  .int()
                  .openapi({ description: 'From 1, without the header; of line protocol the line.' }),
                code: z.string(),
                detail: z.string(),
              }),
            ),
          })
          .openapi('ImportResult'),
      ),
    },
    ...problems(400, 413, 415, 422, 503),
  },
});

interface RowCounter {
  /** Read so far. */
  rows: number;
  /** Of the file, where that is known before its end. */
  total?: number;
}

type ImportQuery = z.infer<typeof route.request.query>;

/** `POST /api/v1/import`. */
export function importPoints(
  app: OpenAPIHono<ApiEnv>,
  { acceptor, clock, config }: ApiParts,
  parquet: ParquetTransfers,
): void {
  app.openAPIRegistry.registerPath(route);
  app.post(route.path, async (c) => {
    const parsed = route.request.query.safeParse(c.req.query());
    if (!parsed.success) throw invalidFields(issuesOf(parsed.error, 'no such parameter'));
    const query = parsed.data;
    const format = query.format ?? formatOf(c.req.header('content-type'));
    const { maxImportBytes, maxBodyBytes } = config.http;
    const body = readBody(c.req.raw, maxImportBytes);
    const intake = new RowIntake({ acceptor, clock, topic: route.path, signal: c.req.raw.signal });
    const counter: RowCounter = { rows: 0 };
    const onTotal = (rows: number): void => {
      counter.total = rows;
    };
    const batches = {
      csv: () => readCsvRows(body, { maxRows: BATCH_ROWS, maxRowBytes: maxBodyBytes }),
      line: () => lineRows(body, query, maxBodyBytes, counter),
      parquet: () => parquet.read(body, { signal: c.req.raw.signal, onTotal }),
    }[format]();
    const told = (): Record<string, unknown> => {
      const { rejected, ...counts } = intake.counts;
      return { ...counts, rows: counter.rows, rejected: rejected.map(toJson) };
    };
    const outcome = async (): Promise<Response> => {
      try {
        await intake.take(format === 'line' ? batches : numbered(batches, query.firstRow, counter));
      } catch (error) {
        if (error instanceof TidemarkError) return problemOf(error, told());
        throw error;
      }
      const { accepted, refused } = intake.counts;
      if (accepted > 0 || refused === 0) return c.json(told(), 200);
      return problemOf(new TidemarkError('nothing_accepted', 'no row was accepted'), told());
    };
    if (!wantsProgress(c.req.header('accept'))) return outcome();
    return answerWithProgress(outcome(), () => {
      const { rejected, ...counts } = intake.counts;
      return { ...counts, ...counter };
    });
  });
}

function toJson({ index, code, detail }: { index: number; code: string; detail: string }) {
  return { row: index + 1, code, detail };
}

async function* numbered(
  batches: AsyncIterable<ImportedRow[]>,
  firstRow: number,
  counter: RowCounter,
): AsyncGenerator<ImportedRow[]> {
  for await (const rows of batches) {
    counter.rows += rows.length;
    if (firstRow > 1) for (const row of rows) row.index += firstRow - 1;
    yield rows;
  }
}

async function* lineRows(
  body: AsyncIterable<Uint8Array>,
  { precision, firstRow }: ImportQuery,
  maxLineBytes: number,
  counter: RowCounter,
): AsyncGenerator<ImportedRow[]> {
  const unit = timeUnits[precision as TimeUnitName];
  for await (const part of wholeLines(body, PART_BYTES, { maxLineBytes })) {
    const rows = readLineRows(part, { unit, firstLine: firstRow + counter.rows });
    counter.rows += countLines(part);
    for (let start = 0; start < rows.length; start += BATCH_ROWS) yield rows.slice(start, start + BATCH_ROWS);
  }
}

function countLines(bytes: Buffer): number {
  let count = bytes.at(-1) === 10 ? 0 : 1;
  for (let at = bytes.indexOf(10); at !== -1; at = bytes.indexOf(10, at + 1)) count++;
  return count;
}

function formatOf(contentType: string | undefined): TransferFormat {
  const type = contentType?.split(';')[0]?.trim().toLowerCase() ?? '';
  const format = formatOfType[type];
  if (format !== undefined) return format;
  throw new TidemarkError(
    'unsupported_media_type',
    `content type ${JSON.stringify(type)} is not read here; send ${Object.keys(formatOfType).join(', ')}, or say ?format=`,
  );
}
