import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { pointToReading, quarantineReasons, READINGS, readingToJson, traceStepNames } from '@tidemark/core';
import { readJson } from '../body/read-json.ts';
import type { ApiEnv, ApiParts } from '../parts.ts';
import { invalidFields, issuesOf } from '../problem.ts';
import { jsonContent, problems, readingSchema } from '../schemas.ts';
import { traceMessage, traceOutcomes } from '../trace/trace-message.ts';

/** What a packet may be at most, as base64 and more. */
const MAX_BODY_BYTES = 4 * 1024 * 1024;
/** Readings that are told. */
const MAX_READINGS = 100;

const bodySchema = z
  .strictObject({
    topic: z.string().max(65_535).openapi({ example: 'sensors/greenhouse-1/temperature' }),
    payload: z.string().optional().openapi({ description: 'The payload as text.', example: '21.5' }),
    payloadBase64: z.base64().optional().openapi({ description: 'The payload as base64, in its place.' }),
    user: z
      .string()
      .max(255)
      .optional()
      .openapi({ description: 'The MQTT user that publishes it.', example: 'tidemark' }),
  })
  .refine((body) => (body.payload === undefined) !== (body.payloadBase64 === undefined), {
    path: ['payload'],
    error: 'send the payload as either payload or payloadBase64',
  });

const route = createRoute({
  method: 'post',
  path: '/api/v1/trace',
  tags: ['Diagnosis'],
  summary: 'What would become of an MQTT message, step by step',
  description:
    'Why is my message not in the chart? Every step that the message would take if it were published by MQTT now, at QoS 1, ' +
    'and where it would stop; by the same code that takes messages in. Nothing is stored, registered or counted.',
  request: { body: { required: true, content: jsonContent(bodySchema.openapi('TracedMessage')) } },
  responses: {
    200: {
      description: 'The steps, in order',
      content: jsonContent(
        z
          .object({
            outcome: z.enum(traceOutcomes).openapi({
              description:
                '`partly_stored`: the rest is quarantined. `delayed`: acknowledged, and in the store once that takes it. ' +
                '`held`: not acknowledged until the log takes it. `nothing`: a mapping leaves it out. `not_ingested`: ' +
                'brokered only. `refused`: by the broker.',
            }),
            stopsAt: z.enum(traceStepNames).nullable().openapi({ example: 'validation' }),
            steps: z.array(
              z.object({
                step: z.enum(traceStepNames),
                status: z.enum(['passed', 'warned', 'stopped', 'skipped']),
                message: z.string().openapi({ example: 'is metric temperature of sensor greenhouse-1' }),
                hint: z.string().nullable().openapi({ description: 'What to do about it.' }),
              }),
            ),
            readings: z
              .array(readingSchema)
              .openapi({ description: `What would be stored, ${MAX_READINGS} at most.` }),
            rejected: z.array(
              z.object({
                index: z.number().int(),
                code: z.enum(quarantineReasons),
                detail: z.string(),
              }),
            ),
          })
          .openapi('MessageTrace'),
      ),
    },
    ...problems(400, 413, 415),
  },
});

/** `POST /api/v1/trace`. */
export function trace(app: OpenAPIHono<ApiEnv>, parts: ApiParts): void {
  app.openAPIRegistry.registerPath(route);
  app.post(route.path, async (c) => {
    const body = bodySchema.safeParse(await readJson(c.req.raw, MAX_BODY_BYTES));
    if (!body.success) throw invalidFields(issuesOf(body.error, 'no such member'));
    const { topic, payload, payloadBase64, user } = body.data;
    const bytes = payload === undefined ? Buffer.from(payloadBase64!, 'base64') : Buffer.from(payload);
    const { outcome, stopsAt, steps, points, rejected } = await traceMessage(
      { topic, payload: bytes, user },
      parts,
    );
    const readings = points.filter(({ measurement }) => measurement === READINGS).slice(0, MAX_READINGS);
    return c.json({
      outcome,
      stopsAt: stopsAt ?? null,
      steps: steps.map((one) => ({ ...one, hint: one.hint ?? null })),
      readings: readings.map((point) => readingToJson(pointToReading(point))),
      rejected,
    });
  });
}
