import { z } from '@hono/zod-openapi';
import { qualityChecks } from '@tidemark/core';

export const time = z.string().openapi({
  description: 'RFC 3339 in UTC, with as many decimals as it needs, up to 9.',
  example: '2026-05-01T12:00:00.25Z',
});

export const readingSchema = z
  .looseObject({
    id: z.string().openapi({
      description: '`<sensor>@<time in ns>`, the same on every store.',
      example: 'greenhouse-1@1777636800250000000',
    }),
    sensor: z.string().openapi({ example: 'greenhouse-1' }),
    location: z.string().nullable().openapi({ example: 'north-hall' }),
    time,
  })
  .openapi('Reading', {
    description: 'Named values that a sensor reports for one instant: one member for each metric.',
    additionalProperties: { type: ['number', 'boolean', 'string'] },
    example: {
      id: 'greenhouse-1@1777636800250000000',
      sensor: 'greenhouse-1',
      location: 'north-hall',
      time: '2026-05-01T12:00:00.25Z',
      temperature: 21.5,
      humidity: 40,
    },
  });
export type ReadingJson = z.infer<typeof readingSchema>;

export const latestSchema = z
  .object({
    sensor: z.string().openapi({ example: 'greenhouse-1' }),
    location: z.string().nullable().openapi({ example: 'north-hall' }),
    metric: z.string().openapi({ example: 'temperature' }),
    value: z
      .union([z.number(), z.boolean(), z.string()])
      .openapi({ type: ['number', 'boolean', 'string'], example: 21.5 }),
    time,
  })
  .openapi('LatestValue');

export const windowSchema = z
  .looseObject({ time, metric: z.string().openapi({ example: 'temperature' }) })
  .openapi('Window', {
    description:
      "A window's start, its metric, the tags asked for by `by`, and one member for each function, null where there is no value.",
    additionalProperties: { type: ['number', 'string', 'null'] },
    example: {
      time: '2026-05-01T12:00:00Z',
      metric: 'temperature',
      sensor: 'greenhouse-1',
      count: 60,
      mean: 21.4,
    },
  });

const refusalSchema = z
  .object({
    index: z.number().int().openapi({ description: 'Position in the request, from 0.', example: 3 }),
    code: z.string().openapi({ description: 'Reason, of a closed list.', example: 'not_finite' }),
    detail: z.string().openapi({ example: 'temperature is NaN' }),
  })
  .openapi('Refusal');

export const writeResultSchema = z
  .object({
    accepted: z.number().int().openapi({ description: 'Readings that are durable now.', example: 1 }),
    ids: z.array(z.string()).openapi({ example: ['greenhouse-1@1777636800250000000'] }),
    rejected: z.array(refusalSchema).openapi({ description: 'Readings that are in the quarantine.' }),
  })
  .openapi('WriteResult');

export const quarantineItemSchema = z
  .object({
    id: z.string(),
    time,
    source: z.string().openapi({ example: 'mqtt' }),
    topic: z.string().openapi({ example: 'sensors/greenhouse-1/temperature' }),
    reason: z.string().openapi({ example: 'not_finite' }),
    detail: z.string().openapi({ example: 'NaN is no number' }),
    payload: z.string().openapi({ description: 'The bytes as they came, base64.', example: 'TmFO' }),
    sensor: z.string().nullable().openapi({ example: 'greenhouse-1' }),
  })
  .openapi('QuarantineItem');

function countsBy(name: string, example: string) {
  const item = z.object({ [name]: z.string(), count: z.number().int() });
  return z.array(item).openapi({ example: [{ [name]: example, count: 3 }] });
}

export const quarantineSummarySchema = z
  .object({
    count: z.number().int().openapi({ description: 'Items that match.', example: 3 }),
    byReason: countsBy('reason', 'not_finite'),
    bySource: countsBy('source', 'mqtt'),
    bySensor: countsBy('sensor', 'greenhouse-1').openapi({ description: 'The 100 sensors with the most.' }),
    evicted: z
      .object({ items: z.number().int(), bytes: z.number().int(), age: z.number().int() })
      .openapi({ description: 'Items dropped for each bound (`quarantine.max…`), ever.' }),
  })
  .openapi('QuarantineSummary');

export const replaySchema = z
  .object({
    replayed: z.number().int().openapi({ description: 'Items that are readings now, durably.', example: 41 }),
    refused: z.number().int().openapi({ description: 'Items refused again; they stay.', example: 1 }),
    reasons: countsBy('reason', 'wrong_type').openapi({ description: 'Why they were refused again.' }),
    left: z.number().int().openapi({ description: 'Items that match and were not tried.', example: 0 }),
    next: z.string().nullable().openapi({ description: 'Cursor to go on with, or null.', example: null }),
  })
  .openapi('Replay');

export const auditEntrySchema = z
  .object({
    id: z.string().openapi({ example: '7' }),
    time,
    actor: z.string().openapi({ description: 'Name of the API token, or `local`.', example: 'local' }),
    action: z.string().openapi({ example: 'quarantine.discard' }),
    target: z
      .record(z.string(), z.string())
      .openapi({ description: 'The id or the filter, as asked.', example: { reason: 'empty' } }),
    counts: z
      .record(z.string(), z.number().int())
      .openapi({ description: 'What came of it.', example: { discarded: 12 } }),
    note: z.string().nullable().openapi({ description: 'Why, in the words of who asked.', example: null }),
  })
  .openapi('AuditEntry');

export const qualityCountSchema = z
  .object({
    sensor: z.string().openapi({
      description: '`#others` stands for those beyond the 10 000 that are counted apart in a minute.',
      example: 'greenhouse-1',
    }),
    check: z.enum(qualityChecks).openapi({ example: 'range' }),
    count: z.number().int().openapi({ description: 'How often the check failed.', example: 3 }),
    first: time.openapi({ description: 'Start of the first minute in which it failed, by acceptance.' }),
    last: time.openapi({ description: 'Start of the last minute in which it failed.' }),
  })
  .openapi('QualityCount');

const statisticsSchema = z
  .record(z.string(), z.number().nullable())
  .openapi({ example: { count: 61, min: 2 } });

export const computeBodySchema = z
  .looseObject({
    from: z.string().openapi({ description: 'Inclusive.', example: '2020-01-13 15:12:00' }),
    to: z.string().openapi({ description: 'Inclusive.', example: '2020-01-13 15:13:00' }),
  })
  .openapi('ComputeRequest', {
    description:
      'Two times (as everywhere; UTC where there is no zone), and for each metric a list of statistics.',
    additionalProperties: { type: 'array', items: { type: 'string' } },
    example: {
      temperature: ['count', 'min'],
      humidity: ['average', 'max'],
      from: '2020-01-13 15:12:00',
      to: '2020-01-13 15:13:00',
    },
  });

export const computeAnswerSchema = z
  .object({
    result: z.record(z.string(), statisticsSchema).openapi({
      description: 'By metric. Without readings, count is 0 and the others are null.',
      example: { temperature: { count: 61, min: 2 }, humidity: { average: 48.557377049180324, max: 98 } },
    }),
    errors: z.array(z.string()).openapi({ description: 'What was wrong in the body.', example: [] }),
  })
  .openapi('ComputeAnswer');

const problemSchema = z
  .looseObject({
    type: z.string().openapi({ example: 'about:blank' }),
    title: z.string().openapi({ example: 'Bad Request' }),
    status: z.number().int().openapi({ example: 400 }),
    code: z.string().openapi({ description: 'Stable; programs may match on it.', example: 'bad_request' }),
    detail: z.string().openapi({ example: 'from: not a time' }),
    errors: z
      .array(z.object({ path: z.string(), message: z.string() }))
      .optional()
      .openapi({ description: 'The fields at fault.', example: [{ path: 'from', message: 'not a time' }] }),
  })
  .openapi('Problem', { description: 'RFC 9457.' });

/** A page of a list: its items, how many they are, and the cursor of the next page. */
export function listSchema<Item extends z.ZodType>(name: string, item: Item) {
  return z
    .object({
      items: z.array(item),
      count: z.number().int().openapi({ description: 'Items on this page.', example: 1 }),
      isEmpty: z.boolean().openapi({ example: false }),
      next: z
        .string()
        .nullable()
        .openapi({ description: 'Cursor of the next page, or null.', example: null }),
    })
    .openapi(name);
}

/** The list of `items`, and the cursor `next` where there are more. */
export function listOf<Item>(items: Item[], next: string | null = null) {
  return { items, count: items.length, isEmpty: items.length === 0, next };
}

const problemTexts = {
  400: 'The request is at fault; `errors` names the fields.',
  401: 'A token is needed: `Authorization: Bearer <token>`.',
  403: 'The Host or Origin is not allowed.',
  404: 'There is none.',
  409: 'It conflicts with what is there; `detail` says with what.',
  412: 'It was changed meanwhile: ask for it again, and send the new ETag.',
  413: 'The body is larger than the limit, after decompression.',
  415: 'The content type or encoding is not one that is read here.',
  422: 'Nothing of the request was accepted; `rejected` says why.',
  428: 'Send `If-Match` with the ETag that the change was made from, or `*`.',
  503: 'Not now; `Retry-After` says when to try again.',
} as const;

/** The documented problems of a route; every route may answer 401 and 403. */
export function problems(...statuses: (keyof typeof problemTexts)[]) {
  const content = { 'application/problem+json': { schema: problemSchema } };
  const all = [...statuses, 401, 403] as const;
  return Object.fromEntries(all.map((status) => [status, { description: problemTexts[status], content }]));
}

export function jsonContent<Schema extends z.ZodType>(schema: Schema) {
  return { 'application/json': { schema } };
}
