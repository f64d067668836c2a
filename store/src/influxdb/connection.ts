import { HttpError, InfluxDB } from '@influxdata/influxdb-client';
import { type Config, messageOf, parseJson, TidemarkError } from '@tidemark/core';

/** Rows of one group of a statement's answer; the first column is the time, a bigint. */
export interface Series {
  name: string;
  tags: Readonly<Record<string, string>>;
  values: unknown[][];
}

/** What InfluxDB said of lines it would not write. */
export interface WriteFault {
  kind: 'refused' | 'too_large';
  message: string;
}

interface QueryAnswer {
  results?: QueryResult[];
  error?: string;
}

interface QueryResult {
  statement_id: number;
  series?: { name: string; tags?: Record<string, string>; values?: unknown[][] }[];
  error?: string;
}

const chunkRows = 10_000;
/** The client's own default. */
const gzipThresholdBytes = 1000;
/** Text of the errors that are about the lines sent, and not about who sends them or where to. */
const aboutLines = /unable to parse|partial write|max key length exceeded/;

/** One InfluxDB 2 bucket: lines in, InfluxQL out. Retries nothing; the caller does. */
export class Connection {
  readonly #transport: InfluxDB['transport'];
  readonly #timeoutMs: number;
  readonly #closing = new AbortController();
  readonly #writePath: string;
  readonly #queryPath: string;

  constructor({ url, token, org, bucket, timeoutMs }: Config['influx']) {
    this.#transport = new InfluxDB({ url, token, timeout: timeoutMs }).transport;
    this.#timeoutMs = timeoutMs;
    this.#writePath = `/api/v2/write?${new URLSearchParams({ org, bucket, precision: 'ns' })}`;
    this.#queryPath = `/query?${new URLSearchParams({ db: bucket, epoch: 'ns', chunked: 'true', chunk_size: String(chunkRows) })}`;
  }

  /**
   * Writes lines; undefined when all are written, else why some were not. The lower level of the client is
   * used, since its WriteApi buffers, retries, and lets a request that timed out run on beside the next one.
   * Rejects with a retryable `store_unavailable` when nothing can be said of the lines.
   */
  async write(lines: string): Promise<WriteFault | undefined> {
    try {
      await this.#transport.request(this.#writePath, lines, {
        method: 'POST',
        headers: { 'content-type': 'text/plain; charset=utf-8' },
        gzipThreshold: gzipThresholdBytes,
        signal: this.#patience(),
      });
      return undefined;
    } catch (error) {
      const fault = writeFault(error);
      if (fault !== undefined) return fault;
      throw this.#unavailable(error);
    }
  }

  /**
   * Answers each statement with its series. Rejects with a retryable `store_unavailable`, or with
   * `bad_request` when the answer holds more than `maxRows` rows.
   */
  async query(statements: readonly string[], maxRows: number): Promise<Series[][]> {
    const answers = statements.map((): Series[] => []);
    if (statements.length === 0) return answers;
    let rows = 0;
    for await (const line of this.#lines(statements.join('; '))) {
      const { results = [], error } = parseJson(line) as QueryAnswer;
      if (error !== undefined) throw this.#unavailable(new Error(error));
      for (const result of results) {
        if (result.error !== undefined) throw this.#unavailable(new Error(result.error));
        for (const { name, tags = {}, values = [] } of result.series ?? []) {
          rows += values.length;
          if (rows > maxRows) throw tooManyRows(maxRows);
          answers[result.statement_id]?.push({ name, tags, values });
        }
      }
    }
    return answers;
  }

  async *#lines(query: string): AsyncIterable<string> {
    const decoder = new TextDecoder();
    let rest = '';
    try {
      const chunks = this.#transport.iterate(this.#queryPath, new URLSearchParams({ q: query }).toString(), {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        signal: this.#patience(),
      });
      for await (const chunk of chunks) {
        const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
        rest = lines.pop() ?? '';
        yield* lines.filter((line) => line !== '');
      }
    } catch (error) {
      throw error instanceof TidemarkError ? error : this.#unavailable(error);
    }
    if (rest !== '') yield rest;
  }

  /** Ends requests that are still running; no others may follow. */
  close(): void {
    this.#closing.abort(new Error('the platform stops'));
  }

  #patience(): AbortSignal {
    return AbortSignal.any([this.#closing.signal, AbortSignal.timeout(this.#timeoutMs)]);
  }

  #unavailable(cause: unknown): TidemarkError {
    const retryAfterMs = cause instanceof HttpError ? retryAfter(cause) : undefined;
    return new TidemarkError('store_unavailable', `InfluxDB: ${describe(cause)}`, {
      cause,
      retryable: true,
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    });
  }
}

/** 400 and 422 are the lines' fault only when the text says so: a missing organization is a 400 too. */
function writeFault(error: unknown): WriteFault | undefined {
  if (!(error instanceof HttpError)) return undefined;
  const { statusCode, message } = error;
  if (statusCode === 413) return { kind: 'too_large', message };
  const isRefusal = (statusCode === 400 || statusCode === 422) && aboutLines.test(message);
  return isRefusal ? { kind: 'refused', message } : undefined;
}

/** `Retry-After` in seconds or as a date (RFC 9110, 10.2.3); the client reads it as milliseconds. */
function retryAfter({ headers }: HttpError): number | undefined {
  const value = headers?.['retry-after'];
  if (typeof value !== 'string') return undefined;
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}

function describe(cause: unknown): string {
  if (cause instanceof HttpError && (cause.statusCode === 401 || cause.statusCode === 403)) {
    return `${cause.statusCode}, the token may not use this bucket (${cause.message})`;
  }
  // Node's connection errors may have an empty message and a code.
  const code = (cause as { code?: unknown } | null)?.code;
  return messageOf(cause) || String(code ?? 'no answer');
}

function tooManyRows(maxRows: number): TidemarkError {
  return new TidemarkError('bad_request', `the answer would hold more than ${maxRows} rows: ask for less`);
}
