import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { formatTime, type Notification, setAsideReasons, TidemarkError } from '@tidemark/core';
import { decodeCursor, encodeCursor } from '../cursor.ts';
import { actorOf } from '../middleware/access.ts';
import type { ApiEnv, ApiParts } from '../parts.ts';
import { allParameter, cursorParameter, limitParameter, noteParameter } from '../query.ts';
import { idParams } from '../registry/route-parts.ts';
import { jsonContent, listOf, listSchema, problems, time } from '../schemas.ts';

const path = '/api/v1/notifications';
const tags = ['Notifications'];
const reason = z.enum(setAsideReasons);
const count = z.number().int();
const filter = {
  channel: z.string().optional().openapi({ description: 'Only for this channel.', example: 'ops' }),
  reason: reason.optional().openapi({ description: 'Only those set aside for it.' }),
};

const notificationSchema = z
  .object({
    id: z.string().openapi({ example: '42' }),
    key: z.string().openapi({ description: 'The same whenever it is sent: act on it once.' }),
    channel: z.string().openapi({ example: 'ops' }),
    alert: z.string().openapi({ example: 'too-hot:greenhouse-1' }),
    state: z.enum(['waiting', 'quarantined']),
    reason: reason.nullable().openapi({ description: 'Why it is in the quarantine.' }),
    detail: z
      .string()
      .nullable()
      .openapi({ description: 'What came of the newest try.', example: 'answered 500' }),
    attempts: count.openapi({ description: 'How often it was tried.', example: 3 }),
    created: time,
    next: time.nullable().openapi({ description: 'When it is tried next; null in the quarantine.' }),
    content: z
      .record(z.string(), z.union([z.string(), z.number(), z.null()]))
      .openapi({ description: 'What is told.', example: { rule: 'too-hot', state: 'firing' } }),
  })
  .openapi('Notification');

const listRoute = createRoute({
  method: 'get',
  path,
  tags,
  summary: 'List notifications that wait, or are in the quarantine',
  description: 'Oldest first. What was delivered is not kept.',
  request: {
    query: z.strictObject({
      state: z
        .enum(['waiting', 'quarantined'])
        .optional()
        .openapi({ description: 'Only those in this state.' }),
      ...filter,
      limit: limitParameter(1000, 100),
      cursor: cursorParameter,
    }),
  },
  responses: {
    200: {
      description: 'Notifications',
      content: jsonContent(listSchema('NotificationList', notificationSchema)),
    },
    ...problems(400),
  },
});

const countsRoute = createRoute({
  method: 'get',
  path: `${path}/counts`,
  tags,
  summary: 'Count notifications by channel and reason',
  responses: {
    200: {
      description: 'Counts',
      content: jsonContent(
        listSchema(
          'NotificationCountList',
          z
            .object({
              channel: z.string().openapi({ example: 'ops' }),
              reason: reason.nullable().openapi({ description: 'Null: they wait.' }),
              count,
            })
            .openapi('NotificationCount'),
        ),
      ),
    },
    ...problems(400),
  },
});

const oneRoute = createRoute({
  method: 'get',
  path: `${path}/{id}`,
  tags,
  summary: 'One notification',
  request: { params: idParams('42'), query: z.strictObject({}) },
  responses: {
    200: { description: 'The notification', content: jsonContent(notificationSchema) },
    ...problems(400, 404),
  },
});

const replayedSchema = z.object({ replayed: count.openapi({ example: 1 }) }).openapi('NotificationsReplayed');
const replayOneRoute = createRoute({
  method: 'post',
  path: `${path}/{id}/replay`,
  tags,
  summary: 'Send one from the quarantine again',
  description: 'With the key that it had. Its channel must be in the configuration.',
  request: { params: idParams('42'), query: z.strictObject({ note: noteParameter }) },
  responses: {
    200: { description: 'It waits again', content: jsonContent(replayedSchema) },
    ...problems(400, 404),
  },
});
const replayRoute = createRoute({
  method: 'post',
  path: `${path}/replay`,
  tags,
  summary: 'Send all from the quarantine that match again',
  description: 'With the keys that they had. Those whose channel is not in the configuration stay.',
  request: { query: z.strictObject({ ...filter, note: noteParameter }) },
  responses: {
    200: { description: 'They wait again', content: jsonContent(replayedSchema) },
    ...problems(400),
  },
});

const discardedSchema = z
  .object({ discarded: count.openapi({ example: 1 }) })
  .openapi('NotificationsDiscarded');
const discardOneRoute = createRoute({
  method: 'delete',
  path: `${path}/{id}`,
  tags,
  summary: 'Discard one in the quarantine for good',
  request: { params: idParams('42'), query: z.strictObject({ note: noteParameter }) },
  responses: {
    200: { description: 'It is gone', content: jsonContent(discardedSchema) },
    ...problems(400, 404),
  },
});
const discardRoute = createRoute({
  method: 'delete',
  path,
  tags,
  summary: 'Discard all in the quarantine that match for good',
  request: {
    query: z.strictObject({
      ...filter,
      all: allParameter,
      note: noteParameter,
    }),
  },
  responses: {
    200: { description: 'They are gone', content: jsonContent(discardedSchema) },
    ...problems(400),
  },
});

/** `/api/v1/notifications`. */
export function notifications(app: OpenAPIHono<ApiEnv>, { notifications: desk, access }: ApiParts): void {
  app.openapi(listRoute, (c) => {
    const { cursor, limit, ...wanted } = c.req.valid('query');
    const after = cursor === undefined ? undefined : Number(decodeCursor(cursor, 1)[0]);
    const page = desk.list({ ...wanted, limit: limit + 1, after });
    const shown = page.slice(0, limit);
    const next = page.length > limit ? encodeCursor(shown.at(-1)!.id) : null;
    return c.json(listOf(shown.map(toJson), next), 200);
  });

  app.openapi(countsRoute, (c) =>
    c.json(listOf(desk.counts().map((one) => ({ ...one, reason: one.reason ?? null }))), 200),
  );

  app.openapi(replayRoute, (c) => {
    const { note, ...wanted } = c.req.valid('query');
    return c.json({ replayed: desk.replay(wanted, { actor: actorOf(access, c), note }) }, 200);
  });

  app.openapi(discardRoute, (c) => {
    const { note, all, ...wanted } = c.req.valid('query');
    if (wanted.channel === undefined && wanted.reason === undefined && all === undefined)
      throw new TidemarkError('bad_request', 'name a filter, or all=true to discard everything');
    return c.json({ discarded: desk.discard(wanted, { actor: actorOf(access, c), note }) }, 200);
  });

  app.openapi(oneRoute, (c) => {
    const found = desk.get(c.req.valid('param').id);
    if (found === undefined) throw new TidemarkError('not_found', 'there is no such notification');
    return c.json(toJson(found), 200);
  });

  app.openapi(replayOneRoute, (c) => {
    const cause = { actor: actorOf(access, c), note: c.req.valid('query').note };
    const replayed = desk.replay({ id: c.req.valid('param').id }, cause);
    if (replayed === 0) throw notThere();
    return c.json({ replayed }, 200);
  });

  app.openapi(discardOneRoute, (c) => {
    const cause = { actor: actorOf(access, c), note: c.req.valid('query').note };
    const discarded = desk.discard({ id: c.req.valid('param').id }, cause);
    if (discarded === 0) throw notThere();
    return c.json({ discarded }, 200);
  });
}

function notThere(): TidemarkError {
  return new TidemarkError(
    'not_found',
    'there is no such notification in the quarantine, or its channel is not in the configuration',
  );
}

function toJson(notification: Notification) {
  const { id, key, channel, content, attempts, createdNs, nextNs, reason: why, detail } = notification;
  const isWaiting = why === undefined;
  return {
    id,
    key,
    channel,
    content,
    attempts,
    alert: String(content.id),
    state: isWaiting ? ('waiting' as const) : ('quarantined' as const),
    reason: why ?? null,
    detail: detail ?? null,
    created: formatTime(createdNs),
    next: isWaiting ? formatTime(nextNs) : null,
  };
}
