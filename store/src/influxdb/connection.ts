import { HttpError, InfluxDB } from '@influxdata/influxdb-client';
import { type Config, parseJson, TidemarkError } from '@tidemark/core';
import type { PassedAnswer, PassedQuery } from '../engine.ts';
import { describeOutage, outageOf, retryAfterMs } from './outage.ts';

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
/** The client's own default. Packed for a server on this machine, lines would only cost both sides time. */
const gzipThresholdBytes = 1000;
const isLoopback = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;
/** A query may take long; a server that leaves a ping unanswered meanwhile is away, and the query ends. */
const pingEveryMs = 1000;
const pingTimeoutMs = 2000;
/** What InfluxDB 2 answers when all lines are written. Anything else that answers 2xx at that address is no InfluxDB. */
const written = 204;
/** Text of the errors that are about the lines sent, and not about who sends them or where to. */
const aboutLines = /unable to parse|partial write|max key length exceeded/;

/** One InfluxDB 2 bucket: lines in, InfluxQL out. Retries nothing; the caller does. */
export class Connection {
  readonly #influx: Config['influx'];
  readonly #transport: InfluxDB['transport'];
  readonly #timeoutMs: number;
  readonly #closing = new AbortController();
  readonly #writePath: string;
  readonly #writeOptions: { method: string; headers: Record<string, string>; gzipThreshold?: number };
  readonly #queryPath: string;
  #pinging: Promise<void> | undefined;

  constructor(influx: Config['influx']) {
    const { url, token, org, bucket, timeoutMs } = influx;
    this.#influx = influx;
    this.#transport = new InfluxDB({ url, token, timeout: timeoutMs }).transport;
    this.#timeoutMs = timeoutMs;
    this.#writePath = `/api/v2/write?${new URLSearchParams({ org, bucket, precision: 'ns' })}`;
    this.#writeOptions = {
      method: 'POST',
      headers: { 'content-type': 'text/plain; charset=utf-8' },
      ...(isLoopback.test(new URL(url).hostname) ? {} : { gzipThreshold: gzipThresholdBytes }),
    };
    this.#queryPath = `/query?${new URLSearchParams({ db: bucket, epoch: 'ns', chunked: 'true', chunk_size: String(chunkRows) })}`;
  }

  /**
   * Writes lines; undefined when all are written, else why some were not. The lower level of the client is
   * used, since its WriteApi buffers, retries, and lets a request that timed out run on beside the next one.
   * Rejects with a retryable `store_unavailable` when nothing can be said of the lines.
   */
  async write(lines: string): Promise<WriteFault | undefined> {
    const signal = this.#patience(this.#timeoutMs);
    let status: number | undefined;
    try {
      const options = { ...this.#writeOptions, signal };
      await this.#transport.request(this.#writePath, lines, options, (_headers, code) => {
        status = code;
      });
    } catch (error) {
      const fault = writeFault(error);
      if (fault !== undefined) return fault;
      throw unavailable(error, signal);
    }
    if (status === written) return undefined;
    throw unavailable(
      new Error(`${status} to a write, which is not InfluxDB's answer; check INFLUX_URL`),
      signal,
    );
  }

  /**
   * Answers each statement with its series. Rejects with a retryable `store_unavailable`, or with
   * `bad_request` when the answer holds more than `maxRows` rows.
   */
  async query(statements: readonly string[], maxRows: number): Promise<Series[][]> {
    const answers = statements.map((): Series[] => []);
    let rows = 0;
    for await (const parts of this.read(statements))
      for (const { statement, series } of parts) {
        rows += series.values.length;
        if (rows > maxRows) throw tooManyRows(maxRows);
        answers[statement]?.push(series);
      }
    return answers;
  }

  /**
   * The answers as they come, statement by statement; a series may come in parts. Rejects with a retryable
   * `store_unavailable`.
   */
  async *read(statements: readonly string[]): AsyncGenerator<{ statement: number; series: Series }[]> {
    if (statements.length === 0) return;
    for await (const line of this.#lines(statements.join('; '))) {
      const { results = [], error } = readAnswer(line);
      if (error !== undefined) throw unavailable(new Error(error));
      yield results.flatMap(({ statement_id: statement, series = [], error: fault }) => {
        if (fault !== undefined) throw unavailable(new Error(fault));
        return series.map(({ name, tags = {}, values = [] }) => ({
          statement,
          series: { name, tags, values },
        }));
      });
    }
  }

  async *#lines(query: string): AsyncIterable<string> {
    const decoder = new TextDecoder();
    const isAway = new AbortController();
    const signal = AbortSignal.any([this.#patience(this.#timeoutMs), isAway.signal]);
    const watch = setInterval(() => void this.#ping().catch((error) => isAway.abort(error)), pingEveryMs);
    let rest = '';
    try {
      const chunks = this.#transport.iterate(this.#queryPath, new URLSearchParams({ q: query }).toString(), {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        signal,
      });
      for await (const chunk of chunks) {
        const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
        rest = lines.pop() ?? '';
        yield* lines.filter((line) => line !== '');
      }
    } catch (error) {
      throw error instanceof TidemarkError ? error : unavailable(error, signal);
    } finally {
      clearInterval(watch);
    }
    if (rest !== '') yield rest;
  }

  /**
   * Asks what somebody else asks, about our bucket, and hands the answer on as it comes. The client's transport
   * keeps neither the status nor the body of an error. Rejects with a retryable `store_unavailable`.
   */
  async pass({ text, parameters, accept }: PassedQuery): Promise<PassedAnswer> {
    const signal = this.#patience(this.#timeoutMs);
    const { url, token, bucket } = this.#influx;
    try {
      const response = await fetch(new URL('query', url.endsWith('/') ? url : `${url}/`), {
        method: 'POST',
        headers: {
          authorization: `Token ${token}`,
          'content-type': 'application/x-www-form-urlencoded',
          ...(accept === undefined ? {} : { accept }),
        },
        body: new URLSearchParams({ ...parameters, db: bucket, q: text }),
        signal,
      });
      if (response.status === 401 || response.status === 403 || response.status >= 500) {
        throw new HttpError(response.status, response.statusText, await response.text());
      }
      const contentType = response.headers.get('content-type') ?? 'application/json';
      return { status: response.status, contentType, body: response.body };
    } catch (error) {
      throw unavailable(error, signal);
    }
  }

  /** Rejects when the server leaves it unanswered; whatever it answers shows that it is there. */
  #ping(): Promise<void> {
    const signal = this.#patience(pingTimeoutMs);
    this.#pinging ??= this.#transport
      .request('/ping', '', { method: 'GET', signal })
      .catch((error: unknown) => {
        if (!(error instanceof HttpError)) throw error;
      })
      .finally(() => {
        this.#pinging = undefined;
      });
    return this.#pinging;
  }

  /** Ends requests that are still running; no others may follow. */
  close(): void {
    this.#closing.abort(new Error('the platform stops'));
  }

  #patience(timeoutMs: number): AbortSignal {
    return AbortSignal.any([this.#closing.signal, AbortSignal.timeout(timeoutMs)]);
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

function readAnswer(line: string): QueryAnswer {
  try {
    return parseJson(line) as QueryAnswer;
  } catch (cause) {
    const message = "an answer that is no JSON, which is not InfluxDB's; check INFLUX_URL";
    throw unavailable(new Error(message, { cause }));
  }
}

function unavailable(cause: unknown, signal?: AbortSignal): TidemarkError {
  const isTimeout = signal?.aborted === true;
  const askedMs = retryAfterMs(cause);
  return new TidemarkError('store_unavailable', `InfluxDB: ${describeOutage(cause, isTimeout)}`, {
    cause,
    retryable: true,
    outage: outageOf(cause, isTimeout),
    ...(askedMs === undefined ? {} : { retryAfterMs: askedMs }),
  });
}

function tooManyRows(maxRows: number): TidemarkError {
  return new TidemarkError('bad_request', `the answer would hold more than ${maxRows} rows: ask for less`);
}
