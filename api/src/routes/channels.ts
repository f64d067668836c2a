import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { actorOf } from '../middleware/access.ts';
import type { ApiEnv, ApiParts } from '../parts.ts';
import { jsonContent, listOf, listSchema, problems } from '../schemas.ts';

const path = '/api/v1/channels';
const tags = ['Alerts'];
const name = z.string().openapi({ example: 'ops' });

const listRoute = createRoute({
  method: 'get',
  path,
  tags,
  summary: 'List channels',
  description: 'Those of the configuration, by name; where they lead and what they hold is not shown.',
  request: { query: z.strictObject({}) },
  responses: {
    200: {
      description: 'Channels',
      content: jsonContent(
        listSchema(
          'ChannelList',
          z.object({ name, type: z.enum(['webhook', 'email', 'mqtt']) }).openapi('Channel'),
        ),
      ),
    },
    ...problems(400),
  },
});

const testRoute = createRoute({
  method: 'post',
  path: `${path}/{name}/test`,
  tags,
  summary: 'Send a test notification',
  description:
    'At once, about no alert (rule `test`, sensor `-`), and once: what fails is told and not tried again. Takes up to ' +
    '`notifications.timeoutMs`.',
  request: { params: z.object({ name }), query: z.strictObject({}) },
  responses: {
    200: {
      description: 'What came of it',
      content: jsonContent(
        z
          .object({
            channel: name,
            delivered: z.boolean(),
            detail: z.string().nullable().openapi({ description: 'Why not.', example: 'answered 404' }),
          })
          .openapi('ChannelTest'),
      ),
    },
    ...problems(400, 404),
  },
});

/** `/api/v1/channels`. */
export function channels(app: OpenAPIHono<ApiEnv>, { notifications, access, audit }: ApiParts): void {
  app.openapi(listRoute, (c) => {
    const known = Array.from(notifications.channels(), ([name, type]) => ({ name, type }));
    return c.json(listOf(known), 200);
  });

  app.openapi(testRoute, async (c) => {
    const { name: channel } = c.req.valid('param');
    const detail = await notifications.test(channel);
    audit.begin({ action: 'channel.test', target: { channel }, cause: { actor: actorOf(access, c) } });
    return c.json({ channel, delivered: detail === undefined, detail: detail ?? null }, 200);
  });
}
