import { TidemarkError } from '@tidemark/core';
import type { Context } from 'hono';
import { readText } from '../body/read-body.ts';
import type { ApiEnv } from '../parts.ts';

/** What `/query` is asked, in InfluxDB's words. */
export interface QueryRequest {
  text: string;
  /** JSON: values by the names that the text has for them behind `$`. */
  parameters: string | undefined;
  database: string | undefined;
  retentionPolicy: string | undefined;
  /** How times are told: RFC 3339 where it is missing or none of InfluxDB's units. */
  epoch: string | undefined;
  isPretty: boolean;
  /** Rows of a piece; undefined where the answer is one whole. */
  chunkRows: number | undefined;
  /** Both media types are CSV. */
  csv: 'text/csv' | 'application/csv' | undefined;
}

/** A query may be long, but nobody types this much. */
const MAX_BODY_BYTES = 4 * 1024 * 1024;
const defaultChunkRows = 10_000;
const formType = 'application/x-www-form-urlencoded';
const queryType = 'application/vnd.influxql';

/** Reads the parameters, those of a form before those of the address. Throws `bad_request` and as `readText` does. */
export async function readQueryRequest(c: Context<ApiEnv>): Promise<QueryRequest> {
  const [mediaType] = (c.req.header('content-type') ?? '')
    .split(';', 1)
    .map((type) => type.trim().toLowerCase());
  const { form, body } = await readForm(c, mediaType);
  const text = form.get('q')?.trim() || body;
  if (text === undefined && mediaType === '') throw new TidemarkError('bad_request', 'mime: no media type');
  const accept = c.req.header('accept');
  const given = (name: string): string | undefined => form.get(name) || undefined;
  return {
    text: text ?? '',
    parameters: given('params'),
    database: given('db'),
    retentionPolicy: given('rp'),
    epoch: given('epoch'),
    isPretty: given('pretty') === 'true',
    chunkRows: given('chunked') === 'true' ? chunkRowsOf(given('chunk_size')) : undefined,
    csv: accept === 'text/csv' || accept === 'application/csv' ? accept : undefined,
  };
}

async function readForm(
  c: Context<ApiEnv>,
  mediaType: string | undefined,
): Promise<{ form: URLSearchParams; body: string | undefined }> {
  const form = new URLSearchParams(new URL(c.req.url).searchParams);
  if (c.req.method !== 'POST') return { form, body: undefined };
  if (mediaType === 'multipart/form-data') await addMultipart(form, c);
  if (mediaType !== formType && mediaType !== queryType) return { form, body: undefined };
  const body = await readText(c.req.raw, MAX_BODY_BYTES);
  if (mediaType === queryType) return { form, body };
  for (const [key, value] of new URLSearchParams(body)) form.set(key, value);
  return { form, body: undefined };
}

async function addMultipart(form: URLSearchParams, c: Context<ApiEnv>): Promise<void> {
  if (!(Number(c.req.header('content-length')) <= MAX_BODY_BYTES)) {
    throw new TidemarkError('payload_too_large', `a form may have ${MAX_BODY_BYTES} bytes`);
  }
  for (const [key, value] of await c.req.raw.formData()) {
    form.set(key, typeof value === 'string' ? value : await value.text());
  }
}

function chunkRowsOf(text: string | undefined): number {
  const rows = Number(text);
  return Number.isInteger(rows) && rows > 0 ? rows : defaultChunkRows;
}
