import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { type Acceptor, type Delivery, parseJson, submit, TidemarkError } from '@tidemark/core';
import { readLines } from '../body/lines.ts';
import { readBody, readText } from '../body/read-body.ts';
import { jsonFaultOf, parseJsonBody } from '../body/read-json.ts';
import type { ApiEnv, ApiParts } from '../parts.ts';
import { problemOf } from '../problem.ts';
import { problems, writeResultSchema } from '../schemas.ts';
import { textBody } from '../text-stream.ts';

const path = '/api/v1/readings';
const ndjsonTypes = ['application/x-ndjson', 'application/ndjson', 'application/jsonl'];

const newReading = z.looseObject({
  sensor: z.string(),
  location: z.string().optional(),
  time: z
    .union([z.string(), z.number()])
    .optional()
    .openapi({ type: ['string', 'integer'] }),
});

// Described, not validated here: every source's readings are judged in one place, with one list of reasons.
const requestSchema = z.unknown().openapi({
  oneOf: [
    { $ref: '#/components/schemas/NewReading' },
    { type: 'array', items: { $ref: '#/components/schemas/NewReading' } },
  ],
  example: { sensor: 'greenhouse-1', location: 'north-hall', temperature: 21.5, humidity: 40 },
});

const route = createRoute({
  method: 'post',
  path,
  tags: ['Readings'],
  summary: 'Record readings',
  description:
    'One reading, an array, or a stream of NDJSON; gzip is read too. The answer is given once the readings are on ' +
    'stable storage. Without `time` (RFC 3339, or an integer of s, ms, µs or ns by its size) a reading is stamped ' +
    'with the time of acceptance. Sending the same sensor, metric and time again is safe: the last value wins. ' +
    'With an `Idempotency-Key`, so is sending the same body without times: its readings keep those they were given.',
  request: {
    headers: z.object({
      'idempotency-key': z.string().optional().openapi({
        description:
          'Chosen anew for each request, and the same when it is repeated; 1 to 255 printable ASCII characters.',
        example: '8e03978e-40d5-43dd-bc93-6894a57f9324',
      }),
    }),
    body: {
      required: true,
      content: {
        'application/json': { schema: requestSchema },
        'application/x-ndjson': {
          schema: z.string().openapi({ example: '{"sensor":"a","co2":410}\n{"sensor":"b","co2":420}\n' }),
        },
      },
    },
  },
  responses: {
    200: {
      description: 'At least one reading was accepted; those that were not are listed with their reasons.',
      content: { 'application/json': { schema: writeResultSchema } },
    },
    ...problems(400, 413, 415, 422, 503),
  },
});

/** `POST /api/v1/readings`. */
export function postReadings(app: OpenAPIHono<ApiEnv>, parts: ApiParts): void {
  const { http, ingest } = parts.config;
  app.openAPIRegistry.register(
    'NewReading',
    newReading.openapi({
      additionalProperties: { type: ['number', 'boolean', 'string'] },
      description: 'Sensor, optional location and time, and one member for each metric.',
    }),
  );
  app.openAPIRegistry.registerPath(route);
  app.post(path, async (c) => {
    const contentType = c.req.header('content-type')?.split(';')[0]?.trim().toLowerCase() ?? '';
    const isStream = ndjsonTypes.includes(contentType);
    if (!isStream && contentType !== 'application/json') {
      throw new TidemarkError(
        'unsupported_media_type',
        `content type ${JSON.stringify(contentType)} is not read here; send application/json or application/x-ndjson`,
      );
    }
    const isMinimal = wantsMinimal(c.req.header('prefer'));
    const intake = new Intake(
      parts.acceptor,
      ingest.maxReadingsPerMessage,
      keyOf(c.req.header('idempotency-key')),
      !isMinimal,
    );
    try {
      if (isStream) await intake.takeLines(readBody(c.req.raw, http.maxBodyBytes));
      else await intake.take([parseJsonBody(await readText(c.req.raw, http.maxBodyBytes))].flat());
    } catch (error) {
      // Chunks before the fault may be stored already; the sender has to learn which.
      if (error instanceof TidemarkError && intake.hasAnswers) return problemOf(error, intake.result());
      throw error;
    }
    if (intake.accepted > 0) {
      if (isMinimal) c.header('preference-applied', 'return=minimal');
      return c.body(textBody(intake.text()), 200, { 'content-type': 'application/json' });
    }
    const nothing = new TidemarkError(
      'nothing_accepted',
      'none of the readings was accepted; rejected says why',
    );
    return problemOf(nothing, intake.result());
  });
}

/** Hands readings to the acceptor in chunks that it takes whole, and adds up what became of them. */
class Intake {
  accepted = 0;
  readonly #acceptor: Acceptor;
  readonly #maxItems: number;
  // As the JSON that is answered, a text for each chunk: an object for each of a million readings takes eight times as much.
  readonly #ids: string[] = [];
  readonly #rejected: string[] = [];
  readonly #key: string | undefined;
  readonly #tellsIds: boolean;
  #taken = 0;
  #chunks = 0;

  constructor(acceptor: Acceptor, maxItems: number, key: string | undefined, tellsIds: boolean) {
    this.#acceptor = acceptor;
    this.#maxItems = maxItems;
    this.#key = key;
    this.#tellsIds = tellsIds;
  }

  get hasAnswers(): boolean {
    return this.accepted > 0 || this.#rejected.length > 0;
  }

  result(): Record<string, unknown> {
    return JSON.parse([...this.text()].join(''));
  }

  /** What became of it, as JSON in parts. */
  *text(): Generator<string> {
    yield `{"accepted":${this.accepted},"ids":[`;
    yield* separated(this.#ids);
    yield '],"rejected":[';
    yield* separated(this.#rejected);
    yield ']}';
  }

  async take(items: readonly unknown[]): Promise<void> {
    for (let start = 0; start < items.length; start += this.#maxItems) {
      await this.#takeChunk(items.slice(start, start + this.#maxItems), new Map());
    }
  }

  async takeLines(chunks: AsyncIterable<Uint8Array>): Promise<void> {
    for await (const lines of readLines(chunks, this.#maxItems)) {
      const faults = new Map<number, string>();
      const items = lines.map((line, index) => {
        try {
          return parseJson(line);
        } catch (error) {
          faults.set(index, jsonFaultOf(line, error));
          // The line itself goes on, so that it is refused and kept in the quarantine as it came.
          return line;
        }
      });
      await this.#takeChunk(items, faults);
    }
  }

  /** The parts of a request are told apart by their numbers; a key that is seen again means the same request. */
  #nextDelivery(): Delivery | undefined {
    if (this.#key === undefined) return undefined;
    return { clientId: `${path} ${this.#key}`, messageId: this.#chunks++, isDuplicate: true };
  }

  async #takeChunk(items: readonly unknown[], faults: ReadonlyMap<number, string>): Promise<void> {
    const start = this.#taken;
    this.#taken += items.length;
    const submission = { source: 'http' as const, topic: path, items, delivery: this.#nextDelivery() };
    const outcome = await submit(this.#acceptor, submission);
    this.accepted += outcome.accepted;
    if (this.#tellsIds) keep(this.#ids, outcome.ids);
    const rejected = outcome.rejected.map(({ index, code, detail }) => {
      const fault = faults.get(index);
      return fault === undefined
        ? { index: start + index, code, detail }
        : { index: start + index, code: 'malformed_json', detail: fault };
    });
    keep(this.#rejected, rejected);
  }
}

/** Keeps the items as the text that stands between the brackets of their array. */
function keep(texts: string[], items: readonly unknown[]): void {
  if (items.length > 0) texts.push(JSON.stringify(items).slice(1, -1));
}

function* separated(texts: readonly string[]): Generator<string> {
  for (const [index, text] of texts.entries()) yield index === 0 ? text : `,${text}`;
}

/** Whether the header `Prefer` asks for no ids in the answer (RFC 7240 section 4.2). */
function wantsMinimal(header: string | undefined): boolean {
  return (
    header?.split(',').some((one) => one.split(';')[0]!.trim().toLowerCase() === 'return=minimal') ?? false
  );
}

/** The value of the header `Idempotency-Key`; throws `bad_request` when it is none. */
function keyOf(header: string | undefined): string | undefined {
  if (header === undefined || /^[\x21-\x7e]{1,255}$/.test(header)) return header;
  const message = 'Idempotency-Key must be 1 to 255 printable ASCII characters';
  throw new TidemarkError('bad_request', message, { issues: [{ path: 'Idempotency-Key', message }] });
}
