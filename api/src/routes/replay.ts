import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { type ReplayOutcome, type ReplayPlace, TidemarkError } from '@tidemark/core';
import { readText } from '../body/read-body.ts';
import { parseJsonBody } from '../body/read-json.ts';
import { encodeCursor } from '../cursor.ts';
import { actorOf } from '../middleware/access.ts';
import type { ApiEnv, ApiParts } from '../parts.ts';
import { invalidFields } from '../problem.ts';
import { cursorParameter, limitParameter, noteParameter } from '../query.ts';
import { jsonContent, problems, replaySchema } from '../schemas.ts';
import { decodeNumbers, quarantineFilterParameters, toQuarantineFilter } from './quarantine-filter.ts';

const bodySchema = z.strictObject({
  payload: z
    .base64()
    .openapi({ description: 'Takes the place of the payload, base64.', example: 'MjEuNQ==' }),
});

const oneRoute = createRoute({
  method: 'post',
  path: '/api/v1/quarantine/{id}/replay',
  tags: ['Quarantine'],
  summary: 'Give one refusal to the acceptor again',
  description:
    'As it came, or with its payload mended. A reading without a time gets the time that it was first given. What is ' +
    'accepted is durable when this answers, and leaves the quarantine; what is refused again stays, once.',
  request: {
    params: z.object({ id: z.string().openapi({ example: '42' }) }),
    query: z.strictObject({ note: noteParameter }),
  },
  responses: {
    200: { description: 'What came of it', content: jsonContent(replaySchema) },
    ...problems(400, 404, 413, 503),
  },
});

const allRoute = createRoute({
  method: 'post',
  path: '/api/v1/quarantine/replay',
  tags: ['Quarantine'],
  summary: 'Give all refusals that match to the acceptor again',
  description:
    'Oldest first, up to `limit`; `next` goes on where it ended. As the replay of one, for each. A reading replaces ' +
    'one of the same sensor, metric and time that was stored meanwhile.',
  request: {
    query: z.strictObject({
      ...quarantineFilterParameters,
      limit: limitParameter(10_000, 1000),
      cursor: cursorParameter,
      note: noteParameter,
    }),
  },
  responses: {
    200: { description: 'What came of it', content: jsonContent(replaySchema) },
    ...problems(400, 503),
  },
});

/** `POST /api/v1/quarantine/{id}/replay`, `/api/v1/quarantine/replay`. */
export function replay(app: OpenAPIHono<ApiEnv>, parts: ApiParts): void {
  app.openapi(allRoute, async (c) => {
    const { limit, cursor, note, ...query } = c.req.valid('query');
    const filter = toQuarantineFilter(query, parts.clock);
    const after = cursor === undefined ? undefined : placeOf(cursor);
    const cause = { actor: actorOf(parts.access, c), note };
    return c.json(toJson(await parts.desk.replayAll({ ...filter, limit, after }, cause)), 200);
  });

  // The body may be missing, and is JSON whatever its type is called: there is nothing else that it could be.
  app.openAPIRegistry.registerPath({
    ...oneRoute,
    request: { ...oneRoute.request, body: { content: jsonContent(bodySchema) } },
  });
  app.openapi({ ...oneRoute, hide: true }, async (c) => {
    const { id } = c.req.valid('param');
    const payload = readPayload(await readText(c.req.raw, parts.config.http.maxBodyBytes));
    const cause = { actor: actorOf(parts.access, c), note: c.req.valid('query').note };
    const outcome = await parts.desk.replay(id, cause, payload);
    if (outcome === undefined) throw new TidemarkError('not_found', 'there is no such refusal');
    return c.json(toJson(outcome), 200);
  });
}

function readPayload(text: string): Uint8Array | undefined {
  if (text.trim() === '') return undefined;
  const body = bodySchema.safeParse(parseJsonBody(text));
  if (body.success) return Buffer.from(body.data.payload, 'base64');
  throw invalidFields(body.error.issues.map(({ path, message }) => ({ path: path.join('.'), message })));
}

function placeOf(cursor: string): ReplayPlace {
  const [timeNs, id, newestId] = decodeNumbers(cursor, 3);
  return { timeNs: BigInt(timeNs!), id: id!, newestId: newestId! };
}

function toJson({ replayed, refused, reasons, left, next }: ReplayOutcome) {
  return {
    replayed,
    refused,
    reasons: Object.entries(reasons).map(([reason, count]) => ({ reason, count })),
    left,
    next: next === undefined ? null : encodeCursor(next.timeNs, next.id, next.newestId),
  };
}
