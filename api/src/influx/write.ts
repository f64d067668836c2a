import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { type Refusal, submit, type TimeUnitName, timeUnits } from '@tidemark/core';
import type { Context } from 'hono';
import { readBody } from '../body/read-body.ts';
import { wholeLines } from '../body/whole-lines.ts';
import type { ApiEnv, ApiParts } from '../parts.ts';
import { described, fault } from './docs.ts';
import { influxFault } from './fault.ts';

/** Lines that are accepted at once: parsing holds up the event loop. */
const PART_BYTES = 1024 * 1024;
/** Parts that may wait for their fsync. */
const PARTS_AHEAD = 4;
/** Refused lines that an answer tells of; the quarantine has all. */
const TOLD_LINES = 100;
/** Reasons that InfluxDB gives 400 for: the line itself is wrong. */
const badLines = new Set<string>(['bad_line', 'invalid_utf8', 'too_many_fields']);

const responses = {
  204: { description: 'All lines are on stable storage' },
  400: fault('Lines were no line protocol; the others are stored'),
  401: fault('No token, or none of ours'),
  403: fault('The request names a host that is not allowed'),
  404: fault('No such bucket or database'),
  413: fault('The body is too large after decompression'),
  422: fault('Lines were refused for what they say; the others are stored'),
  503: fault('Nothing can be made durable now: send it again after `Retry-After`'),
};
const body = {
  required: true,
  content: {
    'text/plain': { schema: z.string().openapi({ example: 'weather,station=north temperature=21.5' }) },
  },
};

const v2Route = createRoute({
  method: 'post',
  path: '/api/v2/write',
  tags: ['InfluxDB'],
  summary: 'Write line protocol, as InfluxDB 2',
  description:
    'Answered once the lines are on stable storage. Bad lines go to the quarantine and cost themselves alone. ' +
    'Any `org` will do.',
  request: {
    query: z.object({
      bucket: described('The database: `tidemark`, or what `INFLUX_BUCKET` says', 'tidemark'),
      org: described('Any will do'),
      orgID: described('Any will do'),
      precision: described('Unit of the timestamps; `ns` by default').openapi({
        enum: ['ns', 'us', 'ms', 's'],
      }),
    }),
    body,
  },
  responses,
});

const v1Route = createRoute({
  method: 'post',
  path: '/write',
  tags: ['InfluxDB'],
  summary: 'Write line protocol, as InfluxDB 1',
  description: 'As `/api/v2/write`. The token is the password: `p`, or that of basic authentication.',
  request: {
    query: z.object({
      db: described('The database: `tidemark`, or what `INFLUX_BUCKET` says', 'tidemark'),
      rp: described('Retention policy: none or `autogen`'),
      precision: described('Unit of the timestamps; `n` by default').openapi({
        enum: ['ns', 'n', 'u', 'us', 'µ', 'ms', 's', 'm', 'h'],
      }),
      u: described('User: any will do'),
      p: described('API token'),
      consistency: described('Read and not used'),
    }),
    body,
  },
  responses,
});

const v1Units: Record<string, TimeUnitName> = { n: 'ns', u: 'us', µ: 'us' };

/** `POST /write` and `/api/v2/write`. */
export function influxWrite(app: OpenAPIHono<ApiEnv>, parts: ApiParts): void {
  const { bucket: ours } = parts.config.influx;
  app.openAPIRegistry.registerPath(v2Route);
  app.post(v2Route.path, (c) => {
    const { bucket, precision = 'ns' } = c.req.query();
    if (bucket !== ours && bucket !== `${ours}/autogen`) {
      const name = bucket === undefined || bucket === '' ? '' : ` ${JSON.stringify(bucket)}`;
      return influxFault(404, `bucket${name} not found; there is ${JSON.stringify(ours)}`);
    }
    if (!['ns', 'us', 'ms', 's'].includes(precision))
      return influxFault(400, 'invalid precision; valid precision units are ns, us, ms, and s');
    return write(c, parts, precision as TimeUnitName);
  });
  app.openAPIRegistry.registerPath(v1Route);
  app.post(v1Route.path, (c) => {
    const { db, rp, precision = 'ns' } = c.req.query();
    if (db === undefined || db === '') return influxFault(400, 'missing db');
    if (db !== ours || !['', 'autogen', 'default', undefined].includes(rp))
      return influxFault(404, noDatabase(db, rp, ours));
    const unit = v1Units[precision] ?? precision;
    if (!(unit in timeUnits)) return influxFault(400, 'invalid precision; use one of n, u, ms, s, m, h');
    return write(c, parts, unit as TimeUnitName);
  });
}

/** In the words of InfluxDB 2, then in those of 1, by which Telegraf and other clients of 1 know this fault. */
function noDatabase(db: string, rp: string | undefined, ours: string): string {
  const asked = JSON.stringify(rp === undefined || db !== ours ? db : `${db}/${rp}`);
  return `no dbrp mapping found; database not found: ${asked}; there is ${JSON.stringify(ours)} with autogen`;
}

async function write(c: Context<ApiEnv>, parts: ApiParts, unit: TimeUnitName): Promise<Response> {
  const intake = new LineIntake(parts, c.req.path, unit);
  try {
    await intake.take(readBody(c.req.raw, parts.config.http.maxBodyBytes));
  } finally {
    await intake.settle();
  }
  return intake.answer();
}

/** Gives the lines of a body to the acceptor, part by part, and gathers what became of them. */
class LineIntake {
  readonly #parts: ApiParts;
  readonly #topic: string;
  readonly #unit: TimeUnitName;
  readonly #waiting: Promise<void>[] = [];
  readonly #refused: Refusal[] = [];
  #refusedCount = 0;
  #accepted = 0;

  constructor(parts: ApiParts, path: string, unit: TimeUnitName) {
    this.#parts = parts;
    this.#unit = unit;
    this.#topic = unit === 'ns' ? path : `${path}?precision=${unit}`;
  }

  async take(chunks: AsyncIterable<Uint8Array>): Promise<void> {
    let firstLine = 1;
    let before: Buffer | undefined;
    for await (const payload of wholeLines(chunks, PART_BYTES)) {
      if (before !== undefined) firstLine += countNewlines(before);
      before = payload;
      if (this.#waiting.length >= PARTS_AHEAD) await this.#waiting.shift();
      this.#waiting.push(this.#submit(payload, firstLine));
    }
  }

  /** Waits for all that was begun, whatever comes of it; throws the first fault. */
  async settle(): Promise<void> {
    const results = await Promise.allSettled(this.#waiting.splice(0));
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  }

  answer(): Response {
    if (this.#refusedCount === 0) return new Response(null, { status: 204 });
    const refused = this.#refused.sort((one, other) => one.index - other.index);
    const status = refused.some(({ code }) => badLines.has(code)) ? 400 : 422;
    const details = refused.map(({ detail }) => detail).join('\n');
    const hasConflict = refused.every(({ code }) => code === 'type_conflict');
    const isPartial = this.#accepted > 0 || hasConflict;
    const head = hasConflict ? 'failure writing points to database: ' : '';
    const message = isPartial ? `${head}partial write: ${details} dropped=${this.#refusedCount}` : details;
    const lines = refused.map(({ index, code, detail }) => ({ line: index + 1, reason: code, detail }));
    return influxFault(status, message, { line: lines[0]!.line, lines });
  }

  async #submit(payload: Buffer, firstLine: number): Promise<void> {
    const submission = {
      source: 'line_protocol',
      topic: this.#topic,
      payload,
      unit: this.#unit,
      firstLine,
    } as const;
    const { accepted, rejected } = await submit(this.#parts.acceptor, submission);
    this.#accepted += accepted;
    this.#refusedCount += rejected.length;
    this.#refused.push(...rejected.slice(0, TOLD_LINES - this.#refused.length));
  }
}

function countNewlines(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(10); at !== -1; at = bytes.indexOf(10, at + 1)) count++;
  return count;
}
